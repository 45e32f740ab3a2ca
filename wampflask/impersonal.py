"""The context in which nobody is asking: for a reading that goes to everybody.

What one reading shows to all must not depend on a person. So ``current_user``, ``session`` and ``request`` raise in
here, with the remedy, where they would otherwise be silently empty or, worse, somebody's.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, NoReturn, TypeVar

from flask import Flask, g
from flask.ctx import RequestContext

from .errors import WampError
from .reading import reading

T = TypeVar("T")

_ALLOWED = frozenset({"blueprint", "blueprints", "close", "endpoint", "environ"})  # url_for and Flask itself ask


class Personal(WampError):
    """What is read for everybody, or for a whole role, asked who somebody is."""


class Nobody:
    """Stands where a person would: whatever is asked of it raises :class:`Personal`.

    :param name: what it stands for, such as ``current_user``.
    :param thing: whose reading this is, for the message.
    """

    __slots__ = ("_name", "_thing")

    def __init__(self, name: str, thing: str) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_thing", thing)

    def _refuse(self, *asked: object) -> NoReturn:
        name, thing = object.__getattribute__(self, "_name"), object.__getattribute__(self, "_thing")
        what = f"{name}.{asked[0]}" if asked and isinstance(asked[0], str) else name
        raise Personal(
            f"{what}: one reading of {thing} goes to everybody who may see it, so it cannot depend on a person. "
            'Declare it per="person", or per="role" and take the role as an argument, or leave this out.'
        )

    __getattr__ = __getitem__ = __call__ = _refuse
    __setattr__ = __setitem__ = __delitem__ = _refuse
    __bool__ = __iter__ = __len__ = __str__ = __contains__ = __eq__ = __hash__ = _refuse


NAMES = ("current_user", "session", "request", "csrf_token", "get_flashed_messages")
"""What a template would find about a person."""


_inside: ContextVar[bool] = ContextVar("wampflask.impersonal", default=False)


def is_inside() -> bool:
    """Return whether the current thread is in :func:`run`."""
    return _inside.get()


def run(app: Flask, thing: str, function: Callable[[], T]) -> T:
    """Run ``function`` in a context of ``app`` in which nobody is asking.

    It opens an app context of its own, hence a database session and a transaction of its own. Any thread but the
    reactor's; also while a request is handled, which does not show through.

    :param thing: whose reading this is, for the error.
    """
    return Context().run(_run, app, thing, function)


def _run(app: Flask, thing: str, function: Callable[[], T]) -> T:
    _inside.set(True)
    with RequestContext(app, empty_environ(app), session=Nobody("session", thing)) as context:  # type: ignore[arg-type]
        g._login_user = Nobody("current_user", thing)  # noqa: SLF001 - where Flask-Login keeps it
        context.request = _NoRequest(context.request, thing)  # type: ignore[assignment]
        with reading():
            return function()


class _NoRequest:
    """Answers ``url_for``; everything else of the request raises."""

    def __init__(self, request: Any, thing: str) -> None:
        self._request = request
        self._nobody = Nobody("request", thing)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request if name in _ALLOWED else self._nobody, name)


def names_for(thing: str) -> dict[str, Nobody]:
    """Return the names of a person for a template's variables; using one raises."""
    return {name: Nobody(name, thing) for name in NAMES}


def empty_environ(app: Flask | None = None) -> dict[str, Any]:
    """Return the environment of a request that nobody made, below the app's root."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "" if app is None else str(app.config["APPLICATION_ROOT"]).rstrip("/"),
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
