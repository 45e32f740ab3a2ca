"""What answers when a live thing is called: its present state, and the state's number."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import current_app

from ._current import current_client
from ._declarations import Direct, Procedure
from ._incoming import Answer, Invocation
from ._live_protocol import NO_ROLE, Asker
from .caller import Caller, current_caller
from .errors import INTERNAL, CallFailed, InvalidURI, NotAuthorized, NotConnected, QueueFull, WampError
from .fragments import FETCH, TOPICS, Fragment
from .live import Addressed, Log, P
from .options import CallResult
from .plugin.stamps import PROCEDURE as STAMP

if TYPE_CHECKING:
    from ._client import Client

FETCH_MAX = 100
GONE, NOT_NOW = 0, -1
"""Answers about a fragment that there is none of, and one that cannot be had now."""
_PASSING = (INTERNAL, NotConnected.uri, QueueFull.uri)


def procedures(thing: Addressed[..., Any], procedure: str | None) -> list[Procedure]:
    """Return how ``thing`` can be called: by its URI, and by ``procedure`` with positional arguments."""
    pattern = thing.pattern
    own = _declare(thing, pattern.uri, lambda caller, _args: caller.uri or pattern.uri)
    own = Procedure(own.uri, own.handler, match=pattern.match, direct=own.direct)
    return [own] if procedure is None else [own, _declare(thing, procedure, lambda _caller, args: _build(thing, args))]


TopicOf = Callable[[Caller, Sequence[Any]], str]


def _declare(thing: Addressed[..., Any], uri: str, topic_of: TopicOf) -> Procedure:
    if thing.per == "person":
        return Procedure(uri, lambda *args: _answer_person(thing, topic_of, args))
    return Procedure(uri, thing.function, direct=_asker(thing, topic_of))


def history(log: Log[..., Any]) -> Procedure:
    """Return the procedure by which a page asks for what it missed: ``since`` is a keyword, the answer the items."""

    def items(since: object = None) -> list[Any]:
        caller = current_caller.get()
        return log.items(_read(log, caller.uri or log.pattern.uri), since)

    return Procedure(log.pattern.uri, items, match=log.pattern.match)


def _asker(thing: Addressed[..., Any], topic_of: TopicOf) -> Direct:
    """Return an asker for the reactor's thread, so that no thread waits for a reading that serves everyone."""

    def ask(client: Client, call: Invocation) -> None:
        def answer(state: Any, number: int) -> None:
            call.answer(CallResult([state, number]))

        try:
            topic = topic_of(call.caller, call.args)
            asker = Asker(call.caller.role or NO_ROLE, answer, call.refuse)
            client.ask(thing, topic, _read(thing, topic), asker)
        except WampError as error:
            call.refuse(error)

    return ask


def numbered(read: Callable[P, Any]) -> Callable[P, CallResult]:
    """Decorator for a procedure whose answer pages compare with a live thing's states: its number comes after it.

    ::

        @wamp.register("polls.question.results")
        @numbered
        def results(question_id): ...

    The number is asked for before the function runs, so it must begin its own transaction. Handlers' threads only.

    :raises NotConnected: there is no session.
    :raises WampTimeout: the router did not answer.
    """

    @wraps(read)
    def answer(*args: P.args, **kwargs: P.kwargs) -> CallResult:
        number, *_ = current_client().call(STAMP, [[]], {}, None)
        return CallResult([read(*args, **kwargs), number])

    return answer


def _answer_person(thing: Addressed[..., Any], topic_of: TopicOf, args: Sequence[Any]) -> CallResult:
    """Answer one person, in a handler's thread and in the caller's context."""
    caller = current_caller.get()
    values = _read(thing, topic_of(caller, args))
    return numbered(thing.state_for)(values, caller)


def _read(thing: Addressed[..., Any], topic: str) -> dict[str, Any]:
    values = thing.pattern.read(topic)
    if values is None:
        raise CallFailed("wamp.error.invalid_argument", f"{thing.pattern.text} has no such argument.")
    return values


def _build(thing: Addressed[..., Any], args: Sequence[Any]) -> str:
    names = thing.pattern.names
    if len(args) != len(names):
        raise CallFailed("wamp.error.invalid_argument", f"Give {', '.join(names) or 'no arguments'}.")
    try:
        return thing.pattern.build(**dict(zip(names, args, strict=True)))
    except InvalidURI as error:
        raise CallFailed("wamp.error.invalid_argument", str(error)) from None


# -- fragments


@dataclass(slots=True)
class _Wanted:
    """One fragment that a page asks for."""

    fragment: Fragment[..., Any]
    args: dict[str, Any]
    have: object


def fetch_procedure(fragments: Mapping[str, Fragment[..., Any]]) -> Procedure:
    """Return the procedure by which a page asks for its fragments: ``[[name, args, key, have], …]``, at most 100.

    The answer has for each ``[state, number]``, with None for a state that the page has; 0 for one that is gone or not
    for this caller; -1 for one that cannot be had now.
    """

    def fetch(client: Client, call: Invocation) -> None:
        asked = call.args[0] if call.args else None
        if not isinstance(asked, list) or len(asked) > FETCH_MAX:
            call.refuse(CallFailed("wamp.error.invalid_argument", f"Ask for a list of at most {FETCH_MAX} fragments."))
            return
        wanted = [_find(client, fragments, call.caller, item) for item in asked]
        _Fetch(client, call.caller, call.answer, wanted).begin()

    return Procedure(FETCH, fetch, direct=fetch)


def _find(client: Client, fragments: Mapping[str, Fragment[..., Any]], caller: Caller, asked: object) -> _Wanted | None:
    """Return what is asked for, when its signature is right and the caller may see it."""
    match asked:
        case [str(name), dict(args), str(key), have] if name in fragments:
            fragment = fragments[name]
        case _:
            return None
    if caller.role not in fragment.allow or set(args) != set(fragment.names):
        return None
    if not hmac.compare_digest(key.encode(), fragment.key(args, client.tickets).encode()):
        return None
    return _Wanted(fragment, args, have)


def _answer(item: _Wanted, state: Any, stamp: int) -> Any:
    if state is None:
        return GONE
    return [None if state[0] == item.have else state, stamp]


class _Fetch:
    """One page's question for several fragments; answered when each of them is. Reactor thread."""

    def __init__(self, client: Client, caller: Caller, answer: Answer, wanted: list[_Wanted | None]) -> None:
        self._client = client
        self._caller = caller
        self._answer = answer
        self._wanted = wanted
        self._found: list[Any] = [GONE] * len(wanted)
        self._left = 1 + sum(item is not None for item in wanted)

    def begin(self) -> None:
        personal = [(nr, item) for nr, item in enumerate(self._wanted) if item and item.fragment.per == "person"]
        for number, item in enumerate(self._wanted):
            if item is not None and item.fragment.per != "person":
                self._ask(number, item)
        if personal:
            self._client.run_for(self._caller, lambda: self._read(personal), lambda: self._miss(personal))
        self._end(1)

    def _ask(self, number: int, item: _Wanted) -> None:
        topic = f"{TOPICS}.{item.fragment.name}.{item.fragment.key(item.args, self._client.tickets)}"

        def answered(state: Any, stamp: int) -> None:
            self._found[number] = _answer(item, state, stamp)
            self._end(1)

        def refused(error: WampError) -> None:
            self._found[number] = NOT_NOW if error.uri in _PASSING else GONE
            self._end(1)

        try:
            asker = Asker(self._caller.role or NO_ROLE, answered, refused)
            self._client.ask(item.fragment, topic, item.args, asker)
        except WampError as error:
            refused(error)

    def _read(self, personal: list[tuple[int, _Wanted]]) -> Callable[[], None]:
        """Read in a handler's thread and in the caller's context; the result is finished in the reactor's."""
        stamp, *_ = self._client.call(STAMP, [[]], {}, None)
        answers = [(number, self._answer_for(item, stamp)) for number, item in personal]

        def put() -> None:
            for number, answer in answers:
                self._found[number] = answer
            self._end(len(answers))

        return put

    def _answer_for(self, item: _Wanted, stamp: int) -> Any:
        """Return the answer for one fragment; its failure does not affect the others."""
        try:
            return _answer(item, item.fragment.state_for(item.args, self._caller), stamp)
        except (CallFailed, NotAuthorized):
            return GONE
        except Exception:
            current_app.logger.exception("%s could not be read for %s", item.fragment.label, self._caller.authid)
            return NOT_NOW

    def _miss(self, personal: list[tuple[int, _Wanted]]) -> None:
        for number, _ in personal:
            self._found[number] = NOT_NOW
        self._end(len(personal))

    def _end(self, count: int) -> None:
        self._left -= count
        if not self._left:
            self._answer(self._found)
