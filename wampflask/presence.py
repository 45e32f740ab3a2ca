"""Who is here: the people whose pages follow something, one entry a person however many tabs.

::

    @wamp.presence("todo.team.{team}", allow="user")
    def member(person):
        return {"name": db.session.get(User, person.user_id).name}

    wamp.online("todo.team.7")            # [Person(authid="user:3", role="user", pages=2, since=…), …]

    @member.on_leave
    def gone(person, team): ...

In a page, ``presence("todo.team.7", (people) => …)`` follows it, and is thereby here itself. Somebody whose last page
has gone stays for three seconds: a reload does not count as leaving.

A function that takes ``people`` describes all of them at once, by authid, with one query. Whom it leaves out is not
shown; when it returns None, nobody is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeVar

from flask import current_app

from ._current import current_client
from .caller import Caller
from .errors import WampError
from .live import Rows
from .patterns import Pattern
from .plugin.roster import LAST, PROCEDURE, WHEREABOUTS

__all__ = ["Person", "Presence"]

ALL = "people"
"""The argument of a function that describes all at once."""

Describe = Callable[..., Mapping[str, Any] | None]
H = TypeVar("H", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is here.

    :param authid: ``user:<id>`` or ``visitor:<random>``.
    :param role: the role of their pages.
    :param pages: how many of their pages follow.
    :param since: seconds since the epoch.
    """

    authid: str
    role: str
    pages: int = 0
    since: float = 0.0

    @property
    def user_id(self) -> str | None:
        """As :attr:`wampflask.Caller.user_id`."""
        return Caller(authid=self.authid).user_id


class Presence(Rows[[Iterable[str] | None], Mapping[str, Any] | None]):
    """What :meth:`wampflask.WAMP.presence` makes of a function that describes a person, or people.

    The function takes a :class:`Person`, and what it returns is shown to everybody who is here; or it takes ``people``,
    a list of them, and returns what is shown by authid. It may take the names of the URI as well.
    """

    def __init__(self, uri: str, describe: Describe, *, allow: tuple[str, ...]) -> None:
        self._describe = describe
        self._described = frozenset(signature(describe).parameters)
        self._joined: list[Callable[..., Any]] = []
        self._left: list[Callable[..., Any]] = []
        super().__init__(Pattern.parse(f"{uri}.{LAST}"), self._people, allow=allow)

    def _check(self) -> frozenset[str]:
        return frozenset({*self.names, "keys"})

    def _people(self, keys: Iterable[str] | None = None, **args: Any) -> Mapping[str, Any] | None:
        wanted = None if keys is None else set(keys)
        people = [person for person in online(self.topic(args)) if wanted is None or person.authid in wanted]
        given = {name: value for name, value in args.items() if name in self._described}
        shown = self._describe_all(people, given)
        if shown is None:
            return None
        return {
            person.authid: {"role": person.role, "since": person.since, **shown[person.authid]}
            for person in people
            if shown.get(person.authid) is not None
        }

    def _describe_all(self, people: list[Person], given: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if ALL in self._described:
            return self._describe(**{ALL: people}, **given)
        return {person.authid: self._describe(person, **given) for person in people}

    def changed_for(self, *authids: str) -> None:
        """Say that something has changed that is shown of these people, wherever they are; see :meth:`changed`.

        Asks the router where they are; when it does not answer, pages learn of it when they are back.
        """
        for authid in authids:
            for topic in _whereabouts(authid):
                args = self.pattern.read(topic)
                if args is not None:
                    self.mark(args, [authid])

    def on_join(self, handler: H) -> H:
        """Decorator: run ``handler(person, …)`` in one worker when somebody comes, with the URI's names.

        Once; again in another worker only where that one died or took longer than a minute.
        """
        self._joined.append(handler)
        return handler

    def on_leave(self, handler: H) -> H:
        """Decorator: the same when somebody has gone."""
        self._left.append(handler)
        return handler

    def mark_people(self, topic: str, authids: Iterable[str]) -> None:
        """Show pages who is here now."""
        args = self.pattern.read(topic)
        if args is not None:
            self.mark(args, list(authids))

    def people_changed(self, topic: str, came: Iterable[str], left: Iterable[str]) -> None:
        """Run the handlers for the people who came and who left."""
        args = self.pattern.read(topic)
        if args is None or not (self._joined or self._left):
            return
        here = {person.authid: person for person in online(topic)}
        for handlers, authids in ((self._joined, came), (self._left, left)):
            for handler in handlers:
                for authid in authids:
                    self._run(handler, here.get(authid) or Person(authid, authid.partition(":")[0]), args)

    def _run(self, handler: Callable[..., Any], person: Person, args: Mapping[str, Any]) -> None:
        try:
            handler(person, **args)
        except Exception:  # a boundary: one handler's failure is not the others'
            current_app.logger.exception("%s failed for %s", getattr(handler, "__qualname__", handler), person.authid)


def online(topic: str, timeout: float | None = None) -> list[Person]:
    """Return who is here, from the router's roster; ``topic`` ends with ``.here``."""
    return [Person(*found) for found in current_client().call(PROCEDURE, [topic], {}, timeout)]


def _whereabouts(authid: str) -> list[str]:
    try:
        found: list[str] = current_client().call(WHEREABOUTS, [authid], {}, None)
    except WampError as error:
        current_app.logger.warning("Where %s is present is not known: %s", authid, error)
        return []
    return found
