"""What operators ask of one worker: a procedure that each worker has for itself, answered in the reactor's thread.

So it is answered when every handler thread is busy, and not answered when the process hangs.
"""

from __future__ import annotations

import os
import platform
import secrets
from typing import Any, Protocol

from flask import Flask

from ._declarations import Procedure
from ._incoming import Invocation
from .config import Config
from .error_log import last_errors
from .errors import CallFailed
from .permissions import BACKEND
from .status import Status

PREFIX = "wampflask.worker."
PING, REPORT, ERRORS, DRAIN, RESUME = "ping", "report", "errors", "drain", "resume"


class Controlled(Protocol):
    """What is controlled: the client."""

    @property
    def app(self) -> Flask: ...
    @property
    def config(self) -> Config: ...
    @property
    def status(self) -> Status: ...
    def drain(self) -> None: ...
    def resume(self) -> None: ...


def procedure() -> Procedure:
    """Return a worker's procedure, with a URI of its own."""
    return Procedure(f"{PREFIX}{secrets.token_hex(8)}", answer, direct=answer, stays=True)


def answer(client: Controlled, call: Invocation) -> None:
    """Answer ``(verb)``: ping, report, errors, drain or resume. Reactor thread."""
    verb = call.args[0] if call.args else PING
    if call.caller.role != BACKEND:
        call.refuse(CallFailed("wamp.error.not_authorized"))
    elif verb == PING:
        call.answer(True)
    elif verb == REPORT:
        call.answer(report(client))
    elif verb == ERRORS:
        call.answer(last_errors(client.app))
    elif verb == DRAIN:
        client.drain()
        call.answer(True)
    elif verb == RESUME:
        client.resume()
        call.answer(True)
    else:
        call.refuse(CallFailed("wamp.error.invalid_argument", f"{verb!r} is not something that a worker can do."))


def report(client: Controlled) -> dict[str, Any]:
    """Return the state of this worker as plain data."""
    status = client.status
    return {
        "pid": os.getpid(),
        "host": platform.node(),
        "state": status.state.value,
        "since": status.since,
        "session": status.session,
        "reason": status.reason,
        "pending": list(status.pending),
        "drained": status.drained,
        "release": client.config.release,
        "counters": dict(status.counters),
    }
