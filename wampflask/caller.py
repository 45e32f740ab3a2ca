"""Who called the procedure, or published the event, that a handler is handling."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import cast

from werkzeug.local import LocalProxy


@dataclass(frozen=True, slots=True)
class Caller:
    """What the router says of the other side; all ``None`` where it does not disclose it.

    :param session: the WAMP session id.
    :param authid: ``user:<id>`` or ``visitor:<random>``; ``backend`` for a Flask worker.
    :param role: the role of its ticket.
    :param uri: the procedure called, or the topic published to (of interest with patterns).
    """

    session: int | None = None
    authid: str | None = None
    role: str | None = None
    uri: str | None = None


current_caller: ContextVar[Caller] = ContextVar("wampflask.caller")

caller = cast(
    Caller,
    LocalProxy(
        current_caller,
        unbound_message="wampflask.caller is only there inside a handler of a WAMP procedure or event.",
    ),
)
"""The :class:`Caller` of the handler that runs in this thread."""
