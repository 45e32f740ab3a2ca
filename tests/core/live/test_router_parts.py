"""What the router's plugin does for live things, without a router: numbers, and who is here."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from wampflask.plugin.roster import Roster
from wampflask.plugin.stamps import Stamps

TOPIC = "shop.floor.here"


def test_numbers_grow_also_when_the_clock_does_not() -> None:
    moments = iter([5_000, 5_000, 1_000, 9_000])
    stamps = Stamps(lambda _: [], clock=lambda: next(moments))
    assert [stamps.stamp([])[0] for _ in range(4)] == [5, 6, 7, 9]


def test_the_workers_of_a_topic_are_those_that_asked_for_it_lately() -> None:
    now = [0.0]
    stamps = Stamps(lambda _: [], clock=lambda: int(now[0] * 1e9))

    def workers(worker: int, *topics: str) -> Any:
        return stamps.stamp(topics, worker)[2]

    now[0] = 100.0
    assert workers(1, "a", "b") == [1, 1]
    assert workers(2, "a") == [2]
    assert workers(2, "a") == [2]
    now[0] += 1.1
    assert workers(3, "a", "b") == [3, 2]
    now[0] += 1.1
    assert workers(3, "a") == [1]
    for number in range(100_000):
        now[0] += 0.001
        stamps.stamp([f"t{number}"], 1)
    assert len(stamps._asked) + len(stamps._asked_before) <= 2002, "what nobody asks for is forgotten"


class Room:
    """Who follows the topic, and when it is."""

    def __init__(self) -> None:
        self.here: list[str] = []
        self.now = 1000.0
        self.roster = Roster(self._find, clock=lambda: self.now)

    def _find(self, topic: str) -> list[Any]:
        assert topic == TOPIC
        return [SimpleNamespace(observers=[SimpleNamespace(_authid=who, _authrole="user") for who in self.here])]

    def look(self, *here: str, after: float = 1.0) -> Any:
        """What a worker is to be told."""
        self.now += after
        self.here = list(here)
        self.roster.expect(TOPIC)
        self.roster.look()
        return self.roster.take_news()


def test_one_entry_a_person_and_a_reload_is_no_leaving() -> None:
    room = Room()
    assert room.look("ann", "ann", "bob") == [[TOPIC, ["ann", "bob"], []]]
    assert [person[:3] for person in room.roster.people(TOPIC)] == [["ann", "user", 2], ["bob", "user", 1]]
    assert room.look("ann") == []
    assert room.look("ann", "bob") == []
    assert room.look("ann") == []
    assert room.look("ann", after=3.0) == [[TOPIC, [], ["bob"]]]


def test_news_that_no_worker_took_are_told_later_and_none_is_lost_meanwhile() -> None:
    room = Room()
    first = room.look("ann")
    assert first == [[TOPIC, ["ann"], []]]
    room.here = ["ann", "bob"]
    room.roster.look()  # while a worker is being told
    room.roster.give_back(first)
    assert room.look("ann", "bob") == [[TOPIC, ["ann", "bob"], []]]
    told = room.look("bob")
    assert told == []
    (told,) = room.look("bob", after=3.0)
    assert told == [TOPIC, [], ["ann"]]
    room.here = ["ann", "bob"]
    room.roster.expect(TOPIC)
    room.roster.look()  # she is back before anybody was told that she had left
    room.roster.give_back([told])
    assert room.look("ann", "bob") == []


def test_a_restart_of_the_router_is_no_coming_and_no_leaving() -> None:
    before = Room()
    before.look("ann", "bob")
    since = before.roster.people(TOPIC)[0][3]
    after = Room()
    after.now = before.now + 60
    after.roster.restore(json.loads(json.dumps(before.roster.kept())))
    assert after.look() == []
    assert after.look("ann", "cid", after=5) == [[TOPIC, ["cid"], []]], "only one of them is new"
    assert after.roster.people(TOPIC)[0] == ["ann", "user", 1, since]
    assert after.look("ann", "cid", after=11) == [[TOPIC, [], ["bob"]]], "and one did not come back"
