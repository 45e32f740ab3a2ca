"""The site's procedures: what they refuse leaves as a WAMP error. Pages have ``error_pages`` for the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from wampflask import CallFailed

from .errors import SiteError
from .extensions import wamp

P = ParamSpec("P")
R = TypeVar("R")


def procedure(uri: str, *, roles: Iterable[str] = ()) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: register a procedure as ``wamp.register`` does, with :func:`answering`."""

    def declare(handler: Callable[P, R]) -> Callable[P, R]:
        return wamp.register(uri, roles=roles)(answering(uri)(handler))

    return declare


def answering(uri: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: raise a :class:`SiteError` as :class:`CallFailed` with the URI ``<app>.error.<code>``.

    Nothing of the transaction stays: a handler's session ends with it, and only a commit keeps anything.

    :param uri: of the procedure or live thing; its first component is the app.
    """
    app = uri.partition(".")[0]

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
        @wraps(handler)
        def answer(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return handler(*args, **kwargs)
            except SiteError as error:
                details: dict[str, Any] = dict(error.details)
                raise CallFailed(f"{app}.error.{error.code}", str(error), **details) from None

        return answer

    return decorate
