"""What happens to a message that is refused: the side that waits gets an error at once, and no other is affected.

For both ends of a connection: :class:`StrictSerializer` is for Flask workers, :func:`apply` makes the router read
as strictly, and refuse what Crossbar lets through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from weakref import WeakSet

import autobahn.twisted  # noqa: F401 - first: the serializer's module takes its clock from the framework chosen then
from autobahn.wamp import message
from autobahn.wamp.serializer import JsonObjectSerializer, JsonSerializer, Serializer
from txaio.tx import make_logger

from . import strict_json
from .call_rates import REFUSED, CallRates
from .rules import Rules, Session

log = make_logger()

MAX_SUBSCRIPTIONS = 1000
"""Of one untrusted session at a time."""
TRUSTED = ("backend", "trusted")

INVALID = "wamp.error.invalid_payload"
_NOT_AUTHORIZED = "wamp.error.not_authorized"

_ANSWERED = {
    kind.MESSAGE_TYPE
    for kind in (
        message.Call,
        message.Publish,
        message.Subscribe,
        message.Unsubscribe,
        message.Register,
        message.Unregister,
        message.Invocation,
    )
}
_WAITED_FOR = {
    message.Yield.MESSAGE_TYPE: message.Invocation.MESSAGE_TYPE,
    message.Result.MESSAGE_TYPE: message.Call.MESSAGE_TYPE,
}
_NUMBER = r"\s*([0-9]{1,16})\s*"
_MAX_WHY = 200
_HEAD = re.compile(rf"\s*\[{_NUMBER},{_NUMBER},(?:{_NUMBER},)?")


@dataclass(frozen=True, slots=True)
class Refused:
    """Stands for a message that was refused: why, and what its sender gets, if it waits for an answer."""

    why: str
    answer: message.Error | None = None


def instead(data: bytes, why: str) -> message.Error | Refused | None:
    """Return what stands for a refused message: :class:`Refused`, or the error for the side that waits.

    None where no error can be sent, so that the connection must end.
    """
    head = _HEAD.match(data[:100].decode(errors="replace"))
    if head is None:
        return None
    kind, request = int(head[1]), int(head[2])
    if kind == message.Event.MESSAGE_TYPE or (
        kind == message.Publish.MESSAGE_TYPE and not _is_acknowledged(data, head.end())
    ):
        return Refused(why)
    if kind in _ANSWERED:
        return Refused(why, _error(kind, request, why))
    if kind in _WAITED_FOR:
        return _error(_WAITED_FOR[kind], request, why)
    if kind == message.Error.MESSAGE_TYPE and head[3] is not None:
        return _error(request, int(head[3]), why)
    return None


def _error(kind: int, request: int, why: str, uri: str = INVALID) -> message.Error:
    return message.Error(kind, request, uri, [why])


def _is_acknowledged(data: bytes, start: int) -> bool:
    try:
        options, _ = json.JSONDecoder().raw_decode(data[start:].decode(errors="replace").lstrip())
    except (ValueError, RecursionError):
        return False
    return isinstance(options, dict) and options.get("acknowledge") is True


# -- reading


class _Worker(JsonObjectSerializer):
    def unserialize(self, payload: bytes) -> list[Any]:
        return [strict_json.read(payload)]


class _Router(JsonObjectSerializer):
    def unserialize(self, payload: bytes) -> list[Any]:
        raw = strict_json.read(payload)
        strict_json.check_keywords(raw)
        return [raw]


class StrictSerializer(JsonSerializer):
    """JSON for a Flask worker, whose session no message of others may end: what breaks WAMP's rules is refused too."""

    def __init__(self) -> None:
        Serializer.__init__(self, _Worker())  # type: ignore[no-untyped-call]

    def unserialize(self, payload: bytes, isBinary: bool | None = None) -> list[Any]:  # noqa: N803 - autobahn's name
        return _unserialize(self, payload, isBinary, Exception)


def _unserialize(serializer: Serializer, data: bytes, binary: bool | None, refused: type[Exception]) -> list[Any]:
    try:
        messages: list[Any] = Serializer.unserialize(serializer, data, binary)
    except Exception as error:  # autobahn turns what the reader raises into its own, and asserts much
        cause = error.__context__ if isinstance(error.__context__, strict_json.Refused) else error
        stand_in = instead(data, str(cause)[:_MAX_WHY]) if isinstance(cause, refused) else None
        if stand_in is None:
            raise
        return [stand_in]
    return messages


# -- the router

RULES: dict[str, Rules] = {}
"""By realm: what the component of each realm goes by."""

RATES = CallRates()
"""Of this process: a realm's name is among what they count."""

_logged: WeakSet[Any] = WeakSet()


def apply(sessions: ModuleType | None, dealers: ModuleType | None) -> str | None:
    """Make this router read strictly, and speak JSON one message at a time only.

    :param sessions: Crossbar's module of sessions.
    :param dealers: its module of the dealer.
    :returns: why it is impossible, or None.
    """
    session_class = getattr(sessions, "RouterSession", None)
    on_message = getattr(session_class, "onMessage", None)
    dealer_class = getattr(dealers, "Dealer", None)
    remove = getattr(dealer_class, "_remove_invoke_request", None)
    if session_class is None or on_message is None or dealer_class is None or remove is None:
        return "crossbar.router has no RouterSession.onMessage or no Dealer._remove_invoke_request"

    def make(self: Any, *_args: Any, **_options: Any) -> None:
        Serializer.__init__(self, _Router())  # type: ignore[no-untyped-call]

    def unserialize(self: Any, payload: bytes, isBinary: bool | None = None) -> list[Any]:  # noqa: N803 - autobahn's
        return _unserialize(self, payload, isBinary, strict_json.Refused)

    def receive(self: Any, msg: Any) -> None:
        refused = msg if isinstance(msg, Refused) else objection(self, msg)
        if refused is None:
            on_message(self, msg)
        elif self._session_id is not None:
            _refuse(self, refused)

    def forget(self: Any, invocation: Any) -> None:
        try:
            remove(self, invocation)
        except KeyError:  # its caller has cancelled it and left: Crossbar would keep the rest
            self._invocations_by_call.pop((invocation.caller_session_id, invocation.call.request), None)

    dealer_class._remove_invoke_request = forget  # noqa: SLF001
    changed: Any = JsonSerializer
    changed.__init__, changed.unserialize, session_class.onMessage = make, unserialize, receive
    return None


def _refuse(session: Any, refused: Refused) -> None:
    if session not in _logged:
        _logged.add(session)
        text = "wampflask: refused a message of session {session}, and will not log others of it: {why}"
        log.warn(text, session=session._session_id, why=refused.why)  # noqa: G010, SLF001 - txaio has no warning()
    if refused.answer is not None:
        session._transport.send(refused.answer)  # noqa: SLF001


def objection(session: Any, msg: Any) -> Refused | None:
    """Return what speaks against a message that Crossbar would accept; None for nothing."""
    check = _CHECKS.get(type(msg))
    if check is None or session._session_id is None:  # noqa: SLF001
        return None
    why = check(session, msg)
    if why is None:
        return _too_often(session, msg) if type(msg) is message.Call else None
    short, uri = why[:_MAX_WHY], _NOT_AUTHORIZED if type(msg) in _ASKING else INVALID
    answered = msg.MESSAGE_TYPE in _ANSWERED
    return Refused(short, _error(msg.MESSAGE_TYPE, msg.request, short, uri) if answered else None)


def _check_error(session: Any, msg: message.Error) -> str | None:
    """Return why an ERROR is refused: Crossbar numbers all calls of a realm, and does not ask whose it is."""
    invocation = session._router._dealer._invocations.get(msg.request)  # noqa: SLF001
    return "an ERROR for another's call" if invocation and invocation.callee is not session else None


def _check_yield(session: Any, msg: message.Yield) -> str | None:
    """Return why progress that was not asked for is refused: a caller on autobahn would lose its connection."""
    invocation = session._router._dealer._invocations.get(msg.request)  # noqa: SLF001
    unasked = msg.progress and invocation and not invocation.call.receive_progress
    return "a progressive result that nobody asked for" if unasked else None


def _check_call(session: Any, msg: message.Call) -> str | None:
    """Return why a number in use is refused: Crossbar would lose count, and keep what a lost callee registered."""
    taken = (session._session_id, msg.request) in session._router._dealer._invocations_by_call  # noqa: SLF001
    return f"the number {msg.request} is taken by another call" if taken else None


def _too_often(session: Any, msg: message.Call) -> Refused | None:
    """Return the refusal of a call that comes before its caller may make another one."""
    rules = RULES.get(session._realm)  # noqa: SLF001
    if rules is None or not rules.has_rates or session._authrole in TRUSTED:  # noqa: SLF001
        return None
    why = RATES.objection(rules, asking(session), session._realm, msg.procedure)  # noqa: SLF001
    return Refused(why, _error(msg.MESSAGE_TYPE, msg.request, why, REFUSED)) if why else None


def _check_subscribe(session: Any, msg: message.Subscribe) -> str | None:
    del msg
    held = session._router._broker._session_to_subscriptions.get(session, ())  # noqa: SLF001
    if len(held) < MAX_SUBSCRIPTIONS or session._authrole in TRUSTED:  # noqa: SLF001
        return None
    return f"more than {MAX_SUBSCRIPTIONS} subscriptions"


def _check_register(session: Any, msg: message.Register) -> str | None:
    """Return why a registration is refused; Crossbar asks only after revealing whether the procedure exists."""
    if session._authrole in TRUSTED:  # noqa: SLF001
        return None
    rules = RULES.get(session._realm)  # noqa: SLF001
    if rules is not None and rules.decide(asking(session), msg.procedure, "register", msg.marshal_options()).allow:
        return None
    return f"may not register {msg.procedure}"


def asking(session: Any) -> Session:
    """Return one of Crossbar's sessions, as rules see it."""
    details: Mapping[str, Any] = {
        "authrole": session._authrole,  # noqa: SLF001
        "authid": session._authid,  # noqa: SLF001
        "session": session._session_id,  # noqa: SLF001
        "authextra": session._authextra,  # noqa: SLF001
    }
    return Session.of(details)


_CHECKS: dict[type, Callable[[Any, Any], str | None]] = {
    message.Error: _check_error,
    message.Yield: _check_yield,
    message.Call: _check_call,
    message.Subscribe: _check_subscribe,
    message.Register: _check_register,
}
_ASKING = (message.Subscribe, message.Register)
