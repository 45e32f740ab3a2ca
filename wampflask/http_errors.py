"""What a browser gets when one of the library's errors leaves a view: an HTTP status that says what it is."""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import GatewayTimeout, HTTPException, ServiceUnavailable

from .errors import (
    CallFailed,
    InvalidPayload,
    InvalidURI,
    NoSuchProcedure,
    NotAuthorized,
    NotConnected,
    QueueFull,
    WampError,
    WampTimeout,
)

RETRY_AFTER = 2
"""Seconds: a router that was started again is back by then, as a rule."""

_STATUS: dict[type[WampError], int] = {
    InvalidPayload: 400,
    InvalidURI: 400,
    NotAuthorized: 403,
    NoSuchProcedure: 404,
    CallFailed: 502,
    NotConnected: 503,
    QueueFull: 503,
    WampTimeout: 504,
}
_OURS = (NotConnected, QueueFull, WampTimeout)


def init_app(app: Flask) -> None:
    """Answer :class:`NotConnected` and :class:`QueueFull` with 503, :class:`WampTimeout` with 504.

    A handler of the app's own for one of these, or for :class:`WampError`, comes first.
    """
    for kind in _OURS:
        if kind not in app.error_handler_spec[None][None]:
            app.register_error_handler(kind, _answer)


def status_of(error: WampError) -> int:
    """Return the HTTP status that says what ``error`` is."""
    return _STATUS.get(type(error), 500)


def _answer(error: WampError) -> ResponseReturnValue:
    own = _own_handler(error)
    if own is not None:
        found: ResponseReturnValue = current_app.ensure_sync(own)(error)
        return found
    current_app.logger.error("%s at %s %s: %s", type(error).__name__, request.method, request.path, error)
    return current_app.handle_http_exception(_as_http(error))


def _as_http(error: WampError) -> HTTPException:
    if isinstance(error, WampTimeout):
        return GatewayTimeout("This took too long. Try again.")
    return ServiceUnavailable("This is not possible for the moment. Try again soon.", retry_after=RETRY_AFTER)


def _own_handler(error: WampError) -> Any:
    """Return the app's handler for all of our errors, which Flask passes over for the narrower one above."""
    kinds = [kind for kind in type(error).__mro__ if issubclass(kind, WampError | TimeoutError)]
    for name in (*request.blueprints, None):
        handlers = current_app.error_handler_spec[name][None]
        for kind in kinds:
            handler = handlers.get(kind)
            if handler is not None and handler is not _answer:
                return handler
    return None
