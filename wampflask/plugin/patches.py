"""What the plugin changes in the running router. Each change says in the log that it was made, or why not.

*Colouring.* For each message it sends, autobahn colours five strings for a trace line that nobody
reads: about 40 % of a router's time. The modules import the colouring functions by name, so each
module's own name is replaced by a function that returns the plain text.

*Redaction.* See ``redaction``.

*Guard.* See ``guard``.

*Silence.* Crossbar never closes a connection that does not log in. Ours are closed after a while.

*Ends.* Crossbar asks a session to leave, and lets it stay if it does not. Ours are closed then.

*Length.* autobahn lets a connection be sent no longer message than it may send itself, and what is longer is lost.
Here that bound is for what comes; what is sent was bounded when it came.

*Fan-out.* See ``framing`` and ``writing``.

*Backlog, heap, rate limit.* See ``backlog``, ``heap`` and ``rate_limit``.

A Crossbar in which these places are gone goes on unpatched. All of it is logged as warnings,
because routers run at that: Crossbar's information names everybody who joins.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import autobahn.util  # noqa: F401 - so that it is there to be replaced
from txaio.tx import call_later, make_logger

from . import backlog, framing, guard, heap, rate_limit, redaction, writing

log = make_logger()

COLOURING = ("autobahn.util", "crossbar._util")
SESSIONS = "crossbar.router.session"
DEALER = "crossbar.router.dealer"
LEAVE_TIMEOUT = 0.5
"""Seconds that a session may take to leave when it is asked to."""

_applied: set[str] = set()


def apply(
    *,
    colours: bool,
    fan_out: bool,
    join_timeout: float,
    unread: Mapping[str, int],
    limit: rate_limit.RateLimit,
) -> None:
    """Make the changes once in this process, whichever realm's component comes first.

    :param colours: replace the colouring.
    :param fan_out: send an event to all at once.
    :param join_timeout: seconds after which a connection without a session is closed; 0 for never.
    :param unread: bounds of :class:`backlog.Backlog`.
    :param limit: what counts the bytes of messages.
    """
    if _applied:
        return
    _applied.add("patches")
    if colours:
        replaced = replace_colours()
        problem = None if replaced else "autobahn.util has no colouring to replace"
        _report(f"{replaced} colouring names replaced", problem)
    if fan_out:
        problem = writing.problem()
        _report("events are written at the end of a turn, to all in a row", problem)
        write = writing.directly if problem else writing.Turn().write
        problem = framing.apply(sys.modules.get(framing.PROTOCOLS), write)
        _report("an event is framed once for all who get it", problem)
    if join_timeout:
        problem = close_silent(sys.modules.get(SESSIONS), join_timeout)
        _report(f"connections that do not log in are closed after {join_timeout:g} s", problem)
    problem = close_ended(sys.modules.get(SESSIONS), LEAVE_TIMEOUT)
    _report("sessions that are ended and do not leave are closed", problem)
    heap.freeze()
    readers = backlog.Backlog(**unread, heap=heap.Heap(heap.find_trim()))
    problem = backlog.apply(sys.modules.get(SESSIONS), readers)
    _report(f"connections that leave {unread['reader']} bytes unread are closed", problem)
    problem = send_any_length(sys.modules.get(rate_limit.PROTOCOLS))
    _report("pages and agents are sent messages of any length", problem)
    problem = rate_limit.apply(sys.modules.get(rate_limit.PROTOCOLS), limit)
    _report("the rate limit counts bytes, too", problem)
    _report("callees and the router's insides are hidden from clients", redaction.apply())
    _report("JSON is read strictly", guard.apply(sys.modules.get(SESSIONS), sys.modules.get(DEALER)))


def _report(done: str, problem: str | None) -> None:
    if problem is None:
        log.warn("wampflask: patched: {done}", done=done)  # noqa: G010 - txaio has no warning()
    else:
        text = "wampflask: not patched: {problem} (so not: {done})"
        log.warn(text, problem=problem, done=done)  # noqa: G010


def replace_colours() -> int:
    """Replace the colouring functions in every loaded module; how many names that were."""
    replacements = {
        id(getattr(sys.modules[module], name)): replacement
        for module in COLOURING
        for name, replacement in PLAIN.items()
        if hasattr(sys.modules.get(module), name)
    }
    names = [
        (module, name, replacements[id(value)])
        for module in tuple(sys.modules.values())
        for name, value in tuple(getattr(module, "__dict__", {}).items())
        if id(value) in replacements
    ]
    for module, name, replacement in names:
        setattr(module, name, replacement)
    return len(names)


def plain(text: object, *_args: object, **_style: object) -> str:
    """Return the text without colours."""
    return text if type(text) is str else str(text)


def plain_type(thing: object, *_args: object, **_style: object) -> str:
    """Return the name of a class or function without colours, and without asking anything for its text."""
    return str(getattr(thing, "__qualname__", ""))


PLAIN: dict[str, Callable[..., str]] = {
    "hl": plain,
    "hltype": plain_type,
    "hlid": plain,
    "hluserid": plain,
    "hlval": plain,
    "hlcontract": plain,
}


def send_any_length(protocols: ModuleType | None) -> str | None:
    """Bound only the messages that come from browsers and agents, not those that they are sent.

    :returns: why it is impossible, or None.
    """
    protocol = getattr(protocols, "WampWebSocketServerProtocol", None)
    sent = getattr(protocol, "sendMessage", None)
    if protocol is None or sent is None:
        return f"{rate_limit.PROTOCOLS}.WampWebSocketServerProtocol.sendMessage is not there"

    def send_message(self: Any, *args: Any, **options: Any) -> None:
        most, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            sent(self, *args, **options)
        finally:
            self.maxMessagePayloadSize = most

    protocol.sendMessage = send_message
    return None


def close_silent(sessions: ModuleType | None, timeout: float) -> str | None:
    """Close connections that have no session ``timeout`` seconds after they opened.

    :returns: why it is impossible, or None.
    """
    session_class = getattr(sessions, "RouterSession", None)
    opened = getattr(session_class, "onOpen", None)
    if session_class is None or opened is None:
        return f"{SESSIONS}.RouterSession.onOpen is not there"

    def on_open(self: Any, transport: Any) -> Any:
        result = opened(self, transport)
        call_later(timeout, drop_if_silent, self, transport)
        return result

    session_class.onOpen = on_open
    return None


def close_ended(sessions: ModuleType | None, timeout: float) -> str | None:
    """Close connections whose session was asked to leave and is there ``timeout`` seconds later.

    Asking it twice is not an error any more: that error would keep Crossbar from ending the other sessions.

    :returns: why it is impossible, or None.
    """
    session_class = getattr(sessions, "RouterSession", None)
    leave = getattr(session_class, "leave", None)
    if session_class is None or leave is None:
        return f"{SESSIONS}.RouterSession.leave is not there"

    def leave_or_be_closed(self: Any, reason: str | None = None, message: str | None = None) -> None:
        if self._goodbye_sent:  # Crossbar offers no other
            return
        leave(self, reason, message)
        call_later(timeout, drop_if_there, self, self._session_id, self._transport)

    session_class.leave = leave_or_be_closed
    return None


def drop_if_there(session: Any, number: int, transport: Any) -> None:
    """Abort ``transport`` while ``session`` is still what it was."""
    if session._session_id == number and session._transport is transport:  # noqa: SLF001 - Crossbar offers no other
        abort: Callable[[], None] = transport.abort
        abort()


def drop_if_silent(session: Any, transport: Any) -> None:
    """Abort ``transport`` unless ``session`` has joined, or the connection is gone."""
    if getattr(session, "_session_id", None) is None and session._transport is transport:  # noqa: SLF001 - Crossbar offers no other
        abort: Callable[[], None] = transport.abort
        abort()
