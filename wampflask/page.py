"""What a test has in place of a page in a browser: the same face in memory and on a real router.

::

    with realm.page(user=2, team=1) as bob:                # or wamp_router.page(user=2, team=1)
        bob.subscribe("todo.team.1.changed")
        bob.call("todo.add", "milk")
        assert bob.wait()[-1].args == ["milk"]
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from .caller import authid_of
from .errors import INTERNAL, CallFailed, NotConnected, WampTimeout, from_wire
from .options import DEFAULT_PUBLISH, PublishOptions
from .plugin.tickets import VISITOR
from .roles import Roles
from .router import wire as w
from .uris import Match

__all__ = ["Event", "Page", "RouterPage"]

_EVER = 3600.0  # longer than any test


@dataclass(frozen=True, slots=True)
class Event:
    """What was published, or heard. ``options`` are the publisher's; they do not count when events are compared."""

    topic: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    options: PublishOptions = field(default=DEFAULT_PUBLISH, compare=False)


class Page(ABC):
    """One page of somebody, under the same rules as a browser's. Leave it, or use it in a ``with``.

    :ivar heard: the events that it has received, of live things as well: their state, and its number.
    :ivar authid: who it is, such as ``user:2``.    :ivar role: its role.    :ivar session: what ``caller.session`` is.
    """

    authid: str
    role: str
    session: int

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    @abstractmethod
    def subscribe(self, topic: str) -> None:
        """Subscribe to ``topic``; with an empty component it is a wildcard, as ``shop.sold.``.

        :raises NotAuthorized: the page may not.
        """

    @abstractmethod
    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call, and return the first result, or the keywords where there is none, as ``call()`` in a browser does.

        :raises NotAuthorized: the page may not, or the handler refuses.
        :raises NoSuchProcedure: nobody has it.
        :raises CallFailed: the callee's own error.
        """

    @abstractmethod
    def publish(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Publish to everybody else who hears ``topic``.

        :raises NotAuthorized: the page may not.
        """

    @abstractmethod
    def register(self, procedure: str, answer: Callable[..., Any]) -> None:
        """Answer calls of ``procedure`` with ``answer``, as ``register()`` in a browser does.

        :raises NotAuthorized: the page may not.
        """

    @abstractmethod
    def wait(self, count: int = 1, timeout: float = 10.0) -> list[Event]:
        """Wait until it has heard ``count`` events in all, and return what it has heard.

        :param timeout: seconds; in memory everything has arrived already.
        :raises AssertionError: it has not.
        """

    @abstractmethod
    def leave(self) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Whose page it is to be."""

    role: str
    authid: str

    @classmethod
    def of(cls, roles: Roles, user: object, role: str | None, authid: str | None) -> Self:
        """Read what ``page()`` was given.

        :raises ValueError: both a user and an authid, or a user without a role where the app has several of its own.
        """
        if user is not None and authid is not None:
            raise ValueError("A page is of user=…, or of authid=….")
        if user is None:
            return cls(role or VISITOR, authid or f"{role or VISITOR}:test")
        if role is None and len(roles.people) > 1 and "user" not in roles.people:
            raise ValueError(f"Say which role the user has: role=…, one of {', '.join(roles.people)}.")
        return cls(role or ("user" if "user" in roles.people else roles.people[0]), authid_of(user))


def match_of(topic: str) -> Match:
    """Return how a page subscribes ``topic``."""
    return "wildcard" if "" in topic.split(".") else "exact"


def first_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return what a page's call returns of a result."""
    return args[0] if args else (dict(kwargs) or None)


class RouterPage(Page):
    """A page on a real router; its events and calls arrive in a thread of its own."""

    def __init__(self, wire: w.Wire) -> None:
        super().__init__()
        self.authid = wire.details["authid"]
        self.role = wire.details["authrole"]
        self.session = wire.session
        self._wire = wire
        self._topics: dict[int, str] = {}
        self._callees: dict[int, Callable[..., Any]] = {}
        self._answers: dict[int, list[Any]] = {}
        self._news = threading.Condition()
        self._gone = False
        self._reader = threading.Thread(target=self._read, name=f"wampflask-page of {self.authid}", daemon=True)
        self._reader.start()

    def subscribe(self, topic: str) -> None:
        match = match_of(topic)
        self._ask(w.SUBSCRIBE, {} if match == "exact" else {"match": match}, topic)

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        answer = self._ask(w.CALL, {}, procedure, list(args), kwargs)
        return first_of(_at(answer, 3, []), _at(answer, 4, {}))

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> None:
        self._ask(w.PUBLISH, {"acknowledge": True}, topic, list(args), kwargs)

    def register(self, procedure: str, answer: Callable[..., Any]) -> None:
        self._ask(w.REGISTER, {}, procedure, answer=answer)

    def wait(self, count: int = 1, timeout: float = 10.0) -> list[Event]:
        with self._news:
            self._news.wait_for(lambda: len(self.heard) >= count or self._gone, timeout)
            assert len(self.heard) >= count, f"{self.authid} has heard {self.heard}, and not {count} events"  # noqa: S101
            return list(self.heard)

    def leave(self) -> None:
        self._wire.close()
        self._reader.join(5)

    def _ask(self, kind: int, options: dict[str, Any], uri: str, *rest: Any, answer: Any = None) -> list[Any]:
        with self._news:
            request = next(self._wire.requests)
            self._answers[request] = [uri, answer]
        self._wire.send([kind, request, options, uri, *rest])
        with self._news:
            known = self._news.wait_for(lambda: self._gone or len(self._answers[request]) > 2, 10)  # noqa: PLR2004
            found: list[Any] = self._answers.pop(request)[2:]
        if not known:
            raise WampTimeout(f"The router did not answer a request for {uri}.")
        if not found:
            raise NotConnected("The session has ended.")
        if found[0] == w.ERROR:
            raise from_wire(found[4], _at(found, 5, []), _at(found, 6, {}))
        return found

    def _read(self) -> None:
        """Receive until the connection ends."""
        with suppress(w.WireError, OSError, json.JSONDecodeError):
            while True:
                self._take(self._wire.receive(timeout=_EVER))
        with self._news:
            self._gone = True
            self._news.notify_all()

    def _take(self, found: list[Any]) -> None:
        if found[0] == w.INVOCATION:
            self._wire.send(_invoke(self._callees[found[2]], found))
            return
        with self._news:
            if found[0] == w.EVENT:
                topic = found[3].get("topic", self._topics[found[1]])
                self.heard.append(Event(topic, _at(found, 4, []), _at(found, 5, {})))
            elif (request := found[2 if found[0] == w.ERROR else 1]) in self._answers:
                asked = self._answers[request]
                if found[0] == w.SUBSCRIBED:
                    self._topics[found[2]] = asked[0]
                elif found[0] == w.REGISTERED:
                    self._callees[found[2]] = asked[1]
                asked += found
            self._news.notify_all()


def _invoke(answer: Callable[..., Any], found: list[Any]) -> list[Any]:
    """Return the message that answers an invocation."""
    request = found[1]
    try:
        return [w.YIELD, request, {}, [answer(*_at(found, 4, []), **_at(found, 5, {}))]]
    except CallFailed as error:
        return [w.ERROR, w.INVOCATION, request, {}, error.uri, list(error.args), error.kwargs]
    except Exception as error:  # a boundary: the caller in the test gets to know
        return [w.ERROR, w.INVOCATION, request, {}, INTERNAL, [repr(error)]]


def _at(message: list[Any], place: int, default: Any) -> Any:
    return message[place] if len(message) > place else default
