"""Who is here: the people whose pages follow a presence topic. In the router's reactor thread.

Following the topic is being here, so the router's own subscriptions are the truth, and nothing is counted twice or
forgotten. A page that comes is seen at once, because it asks for permission; one that went is noticed by the next look,
and its person stays for a while: a reload does not count as leaving. Nor does a restart of the router: people who were
here are kept until their pages have had the time to come back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

LAST = "here"
"""The last component of every presence topic."""
PROCEDURE = "wampflask.live.roster"
WHEREABOUTS = "wampflask.live.whereabouts"
CHANGED = "wampflask.live.people_changed"
"""What a worker is called with: ``[[topic, [authids that came], [authids that left]], …]``."""
INTERVAL = 1.0
"""Seconds between two looks."""

RETURN = 15.0
"""Seconds after the router's start in which the people of before may come back."""

Find = Callable[[str], Iterable[Any]]
News = dict[str, tuple[set[str], set[str]]]
"""Who came and who left, by topic."""
Kept = dict[str, dict[str, tuple[str, float]]]
"""Role and time of coming, by topic and authid."""


@dataclass(slots=True)
class Person:
    """Somebody who is here, or was a moment ago.

    :param sessions: their pages.
    :param since: seconds since the epoch.
    :param left: when the last page went; None while there is one.
    """

    role: str
    sessions: int
    since: float
    left: float | None = None


class Roster:
    """The people of one realm's presence topics. For one thread.

    :param find: Crossbar's subscriptions that a topic's events go to, each with its ``observers``.
    :param grace: seconds that somebody stays whose last page has gone.
    :param clock: seconds since the epoch.
    """

    def __init__(self, find: Find, grace: float = 3.0, *, clock: Callable[[], float] = time.time) -> None:
        self._find = find
        self._grace = grace
        self._clock = clock
        self._topics: dict[str, dict[str, Person]] = {}
        self._news: News = {}

    def expect(self, topic: str) -> None:
        """Note that a page is about to follow ``topic``."""
        self._topics.setdefault(topic, {})

    def people(self, topic: str) -> list[list[Any]]:
        """Return ``[[authid, role, pages, since], …]`` of the people who are here now."""
        if topic in self._topics:
            self._look_at(topic)
        return [
            [authid, person.role, person.sessions, person.since]
            for authid, person in self._topics.get(topic, {}).items()
        ]

    def whereabouts(self, authid: str) -> list[str]:
        """Return the topics where somebody is, or was a moment ago."""
        return sorted(topic for topic, people in self._topics.items() if authid in people)

    def look(self) -> None:
        """Look who is here."""
        for topic in list(self._topics):
            self._look_at(topic)

    def take_news(self) -> list[list[Any]]:
        """Return what has changed since this was called last: ``[[topic, came, left], …]``, for a worker."""
        news, self._news = self._news, {}
        return [[topic, sorted(came), sorted(left)] for topic, (came, left) in news.items()]

    def kept(self) -> Kept:
        """Return what is to be kept for the next start."""
        return {
            topic: {authid: (person.role, person.since) for authid, person in people.items()}
            for topic, people in self._topics.items()
        }

    def restore(self, kept: Kept) -> None:
        """Continue from what the router knew before."""
        left = self._clock() + RETURN - self._grace
        for topic, people in kept.items():
            self._topics[topic] = {authid: Person(role, 0, since, left) for authid, (role, since) in people.items()}

    def give_back(self, news: Iterable[Iterable[Any]]) -> None:
        """Keep what no worker could be notified of."""
        for topic, came, left in news:
            self._note(topic, set(came), set(left))

    def _look_at(self, topic: str) -> None:
        now = self._clock()
        people = self._topics[topic]
        here = self._sessions(topic)
        came: set[str] = set()
        left: set[str] = set()
        for authid, (role, sessions) in here.items():
            if authid not in people:
                people[authid] = Person(role, sessions, now)
                came.add(authid)
            else:
                people[authid].role, people[authid].sessions, people[authid].left = role, sessions, None
        for authid in people.keys() - here.keys():
            person = people[authid]
            person.sessions, person.left = 0, now if person.left is None else person.left
            if now - person.left >= self._grace:
                del people[authid]
                left.add(authid)
        self._note(topic, came, left)
        if not people:
            del self._topics[topic]

    def _note(self, topic: str, came: set[str], left: set[str]) -> None:
        """Note who came or left; leave out a person who did both before a worker was notified."""
        known_came, known_left = self._news.pop(topic, (set(), set()))
        came, left = came | known_came, left | known_left
        if came != left:
            self._news[topic] = (came - left, left - came)

    def _sessions(self, topic: str) -> dict[str, tuple[str, int]]:
        """Return the role and the number of pages of each person who follows ``topic`` now."""
        found: dict[str, tuple[str, int]] = {}
        for subscription in self._find(topic):
            for session in subscription.observers:
                authid, role = str(session._authid), str(session._authrole)  # noqa: SLF001 - Crossbar offers no other
                found[authid] = (role, found.get(authid, (role, 0))[1] + 1)
        return found
