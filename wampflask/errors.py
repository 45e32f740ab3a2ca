"""Every error wampflask raises, in one tree::

    WampError
    ├── NotConnected          the router is away; nothing was sent
    ├── WampTimeout           no answer in time (also a builtin TimeoutError)
    ├── NotAuthorized         the role may not do this
    ├── NoSuchProcedure       nobody has registered the procedure
    ├── InvalidPayload        a value is not strict JSON (also a ValueError)
    ├── InvalidURI            not a strict WAMP URI (also a ValueError)
    ├── CallFailed            the callee answered with an error of its own
    ├── QueueFull             a configured bound is reached
    ├── LockTaken             another session holds the lock
    ├── Cancelled             what runs here is not wanted any more
    ├── AlreadyDeclared       the same procedure was declared twice
    ├── WrongThread           a blocking function was called in the reactor's thread
    ├── UnsafeProcess         this process cannot run a reactor (forked late, gevent)
    └── ConfigError           a configuration key has a wrong value (also a ValueError)

An error that has a WAMP error URI carries it as ``uri``; :func:`from_wire` turns a router's or a
callee's error into its class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "AlreadyDeclared",
    "CallFailed",
    "Cancelled",
    "ConfigError",
    "InvalidPayload",
    "InvalidURI",
    "LockTaken",
    "NoSuchProcedure",
    "NotAuthorized",
    "NotConnected",
    "QueueFull",
    "UnsafeProcess",
    "WampError",
    "WampTimeout",
    "WrongThread",
    "from_wire",
]

INTERNAL = "wampflask.error.internal"


class WampError(Exception):
    """Whatever wampflask raises."""

    uri: str | None = None


class NotConnected(WampError):
    """There is no session with the router now; nothing was sent. Try again later, or use ``publish_later``."""

    uri = "wamp.close.transport_lost"


class WampTimeout(WampError, TimeoutError):
    """The router or the callee did not answer in time. A call is cancelled; a publication may have happened."""

    uri = "wamp.error.timeout"


class NotAuthorized(WampError):
    """The session's role may not do this: declare a :class:`~wampflask.Permission` beside the URI."""

    uri = "wamp.error.not_authorized"


class NoSuchProcedure(WampError):
    """No session has registered the procedure at the moment."""

    uri = "wamp.error.no_such_procedure"


class InvalidPayload(WampError, ValueError):
    """A value cannot travel as strict JSON. ``path`` names it, such as ``args[0]['when']``."""

    uri = "wamp.error.invalid_payload"

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class InvalidURI(WampError, ValueError):
    """Not a strict WAMP URI: components of ``[0-9a-z_]`` joined by dots (WAMP spec, "Strict URIs")."""

    uri = "wamp.error.invalid_uri"


class CallFailed(WampError):
    """The callee answered with an error: ``uri``, ``args`` and ``kwargs`` are its own.

    Raise it in a handler to send the caller an error of your own, for example
    ``raise CallFailed("polls.error.closed", "Question 3 is closed.")``.
    """

    def __init__(self, uri: str, /, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args)
        self.uri = uri
        self.kwargs = kwargs

    def __str__(self) -> str:
        details = ", ".join([*map(str, self.args), *(f"{k}={v!r}" for k, v in self.kwargs.items())])
        return f"{self.uri}: {details}" if details else str(self.uri)


class QueueFull(WampError):
    """A bound from the configuration is reached; the message names the key. Nothing was sent."""

    uri = "wampflask.error.busy"


class RateLimited(WampError):
    """The caller has called this procedure as often as it may for now; the message says how long to wait."""

    uri = "wampflask.error.rate_limit"


class Cancelled(WampError):
    """The call or the task that runs here is not wanted any more; :func:`wampflask.progress` raises it. Let it pass."""

    uri = "wamp.error.canceled"


class LockTaken(WampError):
    """Another session holds the lock and did not release it in time."""


class AlreadyDeclared(WampError):
    """The same procedure was declared twice; the message names both places."""


class WrongThread(WampError):
    """A blocking function was called in the reactor's thread, where it would wait for itself."""


class UnsafeProcess(WampError):
    """This process cannot run the reactor; the message says why and what to change."""


class ConfigError(WampError, ValueError):
    """A configuration key has a value that cannot be used; the message names both."""


_BY_URI: dict[str, type[WampError]] = {
    "wamp.error.not_authorized": NotAuthorized,
    "wamp.error.authorization_failed": NotAuthorized,
    "wamp.error.authorization_denied": NotAuthorized,
    "wamp.error.no_such_procedure": NoSuchProcedure,
    "wamp.error.invalid_uri": InvalidURI,
    "wamp.error.invalid_payload": InvalidPayload,
    "wamp.error.payload_size_exceeded": InvalidPayload,
    "wamp.error.timeout": WampTimeout,
    "wamp.close.normal": NotConnected,
    "wamp.close.transport_lost": NotConnected,
    "wampflask.error.busy": QueueFull,
    "wampflask.error.rate_limit": RateLimited,
}


def as_sentence(text: str) -> str:
    """Return ``text`` with one full stop at its end, unless it is a question."""
    return text if text.endswith("?") else f"{text.rstrip('.')}."


def from_wire(uri: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> WampError:
    """Return the exception for a WAMP error message. Safe in any thread."""
    known = _BY_URI.get(uri)
    if known is None:
        return CallFailed(uri, *args, **(kwargs or {}))
    return known("; ".join(map(str, args)) or (known.__doc__ or uri).split(".")[0])
