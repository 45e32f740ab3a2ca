"""What answers when a live thing is called: its state as it is from now on, and the state's number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._current import current_client
from ._registry import Procedure
from .caller import Caller, current_caller
from .errors import CallFailed, InvalidURI, WampError
from .live import NO_ROLE, LiveThing
from .options import CallResult
from .router.plugin.stamps import PROCEDURE as STAMP

if TYPE_CHECKING:
    from ._client import Client

Answer = Callable[[Any], None]
Refuse = Callable[[WampError], None]


def procedures(thing: LiveThing[..., Any], procedure: str | None) -> list[Procedure]:
    """The declarations by which ``thing`` can be called: by its URI, and by ``procedure`` with positional arguments."""
    pattern = thing.pattern
    own = _declare(thing, pattern.uri, lambda caller, _args: caller.uri or pattern.uri)
    own = Procedure(own.uri, own.handler, match=pattern.match, direct=own.direct)
    return [own] if procedure is None else [own, _declare(thing, procedure, lambda _caller, args: _build(thing, args))]


TopicOf = Callable[[Caller, Sequence[Any]], str]


def _declare(thing: LiveThing[..., Any], uri: str, topic_of: TopicOf) -> Procedure:
    if thing.per == "person":
        return Procedure(uri, lambda *args: _answer_person(thing, topic_of, args))
    return Procedure(uri, thing.function, direct=_asker(thing, topic_of))


def _asker(thing: LiveThing[..., Any], topic_of: TopicOf) -> Callable[..., None]:
    """For the reactor's thread: nobody waits in a thread for a reading that serves everybody."""

    def ask(
        client: Client, args: Sequence[Any], _kwargs: Mapping[str, Any], caller: Caller, answer: Answer, refuse: Refuse
    ) -> None:
        try:
            topic = topic_of(caller, args)
            client.ask(thing, topic, _read(thing, topic), caller.role or NO_ROLE, answer, refuse)
        except WampError as error:
            refuse(error)

    return ask


def _answer_person(thing: LiveThing[..., Any], topic_of: TopicOf, args: Sequence[Any]) -> CallResult:
    """In a handler's thread, in its caller's context: the number first, then the reading."""
    caller = current_caller.get()
    values = _read(thing, topic_of(caller, args))
    number, _ = current_client().call(STAMP, [[]], {}, None)
    return CallResult([thing.state_for(values, caller), number])


def _read(thing: LiveThing[..., Any], topic: str) -> dict[str, Any]:
    values = thing.pattern.read(topic)
    if values is None:
        raise CallFailed("wamp.error.invalid_argument", f"{thing.pattern.text} has no such argument.")
    return values


def _build(thing: LiveThing[..., Any], args: Sequence[Any]) -> str:
    names = thing.pattern.names
    if len(args) != len(names):
        raise CallFailed("wamp.error.invalid_argument", f"Give {', '.join(names) or 'no arguments'}.")
    try:
        return thing.pattern.build(**dict(zip(names, args, strict=True)))
    except InvalidURI as error:
        raise CallFailed("wamp.error.invalid_argument", str(error)) from None
