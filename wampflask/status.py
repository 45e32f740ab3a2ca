"""The connection's state as plain values: what ``wamp.status`` returns. Never holds a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

COUNTERS = (
    "joined",
    "lost",
    "called",
    "published",
    "published_later",
    "published_latest",
    "conflated",
    "invoked",
    "events",
    "dropped",
    "waiting_later",
    "waiting_latest",
    "waiting_handlers",
    "running_handlers",
)
"""The names of :attr:`Status.counters`, all there from the start."""


class State(Enum):
    """Where the session is on its way."""

    IDLE = "idle"
    """Nothing has asked for a connection yet in this process."""
    CONNECTING = "connecting"
    """No session; trying to connect."""
    JOINED = "joined"
    """There is a session, but not every declaration is confirmed by the router."""
    READY = "ready"
    """Every declared procedure and subscription is confirmed."""
    STOPPING = "stopping"
    """The process ends: registrations are gone, running handlers finish."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot of one app's connection in this process.

    :param state: see :class:`State`.
    :param since: when this state began, seconds since the epoch.
    :param session: the WAMP session id, or ``None``.
    :param attempts: failed attempts since the last session.
    :param reason: why the last session or attempt ended, or why a declaration is not confirmed; empty when none did.
    :param pending: declarations the router has not confirmed yet.
    :param counters: what happened so far; docs/limits.md names each.
    :param drained: an operator has left this worker's procedures to others.
    """

    state: State
    since: float
    session: int | None = None
    attempts: int = 0
    reason: str = ""
    pending: tuple[str, ...] = ()
    counters: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    drained: bool = False

    @property
    def ready(self) -> bool:
        """Whether every declared procedure and subscription is confirmed."""
        return self.state is State.READY
