"""Flask-Login, where the app has it: tickets say who is logged in, handlers have ``current_user``, log-out ends both.

The library does not need Flask-Login, and imports it only where the app has it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from flask import Flask, current_app

from .caller import USER, Caller, user_authid
from .errors import ConfigError, WampError
from .identity import Identity
from .roles import Roles

UserLoader = Callable[[str], Any]

_WATCHED = "wampflask_log_outs"


def has_logins(app: Flask) -> bool:
    """Return whether Flask-Login is there."""
    return hasattr(app, "login_manager")


def identify(roles: Roles) -> Identity | None:
    """Return who is logged in, in the current request; None for a visitor, and where there is no Flask-Login.

    :raises ConfigError: the app has roles of its own, and did not say whose they are.
    :raises ValueError: the user's id is too long for a ticket.
    """
    if not has_logins(current_app):
        return None
    from flask_login import current_user

    if not current_user.is_authenticated:
        return None
    if USER not in roles.people:
        raise ConfigError(
            f"Somebody is logged in, and the roles are {', '.join(roles.people)}: say who has which, by @wamp.identify."
        )
    return Identity(USER, authid=user_authid(current_user.get_id()))


def revoke_at_log_out(app: Flask, revoke: Callable[[str], None]) -> None:
    """End the live sessions of a person who logs out of ``app``; do nothing when that is set up already.

    A log-out must succeed whatever the router does: what goes wrong is logged.
    """
    if _WATCHED in app.extensions or not has_logins(app):
        return
    from flask_login import user_logged_out

    def end(_app: Flask, user: Any, **_more: Any) -> None:
        try:
            revoke(user_authid(user.get_id()))
        except (WampError, OSError, ValueError) as error:
            app.logger.warning("The live sessions of a login were not ended: %s", error)

    app.extensions[_WATCHED] = end  # a signal alone would not keep it
    user_logged_out.connect(end, app)


@contextmanager
def user_context(app: Flask, caller: Caller, loader: UserLoader | None) -> Iterator[None]:
    """Enter an app context in which ``current_user`` is ``caller``, loaded when it is first used.

    Flask-Login gives ``current_user`` only in a request, so there is one, of nobody for nothing: GET / without headers.

    :param loader: finds the person by their id; by default the app's ``user_loader`` of Flask-Login.
    """
    manager: Any = app.login_manager  # type: ignore[attr-defined]  # put there by Flask-Login
    context = app.app_context()
    context.g = _lazy(app.app_ctx_globals_class)(lambda: _load(manager, caller, loader), manager.anonymous_user)
    with context, app.request_context(_empty_environ()):
        yield


def _load(manager: Any, caller: Caller, loader: UserLoader | None) -> Any:
    find = loader or manager._user_callback  # noqa: SLF001 - Flask-Login has no other name for it
    user_id = caller.user_id
    return find(user_id) if find is not None and user_id is not None else None


@cache
def _lazy(base: type[Any]) -> type[Any]:
    """Return the class of ``flask.g`` in a handler: Flask-Login looks there first for the user."""

    class HandlerGlobals(base):  # type: ignore[misc]  # the app's own class
        def __init__(self, load: Callable[[], Any], anonymous: Callable[[], Any]) -> None:
            self.__dict__.update(_wampflask_load=load, _wampflask_anonymous=anonymous)

        def __contains__(self, name: object) -> bool:
            if name == "_login_user" and name not in self.__dict__:
                self._login_user = self._wampflask_anonymous()  # for a loader that asks who is there
                self._login_user = self._wampflask_load() or self._login_user
            return bool(super().__contains__(name))

        def __getattr__(self, name: str) -> Any:
            if name == "_login_user" and name in self:
                return self.__dict__[name]
            return super().__getattr__(name)

    return HandlerGlobals


def _empty_environ() -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
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
