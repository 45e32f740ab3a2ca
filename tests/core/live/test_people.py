"""Describing who is here: one person, or all at once; and saying that something about them has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.core.live.shop import make_app
from wampflask import WAMP
from wampflask.in_memory import MemoryRealm, in_memory
from wampflask.plugin.roster import Roster
from wampflask.presence import Person, Presence

ANNA, BEN = ["user:1", "user", 2, 5.0], ["visitor:b", "visitor", 1, 6.0]
HERE = "team.7.here"


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def app(tmp_path: Path, wamp: WAMP) -> Flask:
    return make_app(tmp_path, wamp, {})


@pytest.fixture
def realm(app: Flask) -> Iterator[MemoryRealm]:
    with in_memory(app) as realm, app.app_context():
        realm.people = {HERE: [ANNA, BEN], "team.8.here": [BEN]}
        yield realm


def members(wamp: WAMP) -> tuple[Presence, list[list[str]]]:
    """A presence that describes all at once, and what it was asked for."""
    asked: list[list[str]] = []

    @wamp.presence("team.<team>", allow="everyone")
    def member(people: Sequence[Person], team: str) -> dict[str, dict[str, str]] | None:
        asked.append([person.authid for person in people])
        return None if team == "8" else {person.authid: {"in": team} for person in people if person.role == "user"}

    return member, asked


def state(realm: MemoryRealm, uri: str) -> Any:
    return realm.invoke(uri).args[0]


def test_all_are_described_at_once_and_some_are_not_shown(wamp: WAMP, realm: MemoryRealm) -> None:
    _, asked = members(wamp)
    assert state(realm, HERE) == {"user:1": {"role": "user", "since": 5.0, "in": "7"}}
    assert asked == [["user:1", "visitor:b"]]


def test_nobody_is_shown_where_the_function_says_so(wamp: WAMP, realm: MemoryRealm) -> None:
    member, _ = members(wamp)
    assert state(realm, "team.8.here") is None
    member.changed("visitor:b", team="8")
    assert realm.published[-1].args[0] is None  # not even who has gone


def test_somebody_who_is_described_by_nothing_is_not_shown(wamp: WAMP, realm: MemoryRealm) -> None:
    @wamp.presence("team.<team>", allow="everyone")
    def member(person: Person) -> dict[str, int] | None:
        return {"pages": person.pages} if person.role == "user" else None

    assert state(realm, HERE) == {"user:1": {"role": "user", "since": 5.0, "pages": 2}}


def test_a_change_of_somebody_is_known_wherever_they_are(wamp: WAMP, realm: MemoryRealm) -> None:
    member, asked = members(wamp)
    realm.people["other.7.here"] = [ANNA]
    member.changed_for("user:1", "visitor:b", "user:9")
    assert [event.topic for event in realm.published] == [HERE, HERE, "team.8.here"]
    assert realm.published[0].args[0] == {"rows": {"user:1": {"role": "user", "since": 5.0, "in": "7"}}, "gone": []}
    assert asked == [["user:1"], ["visitor:b"], ["visitor:b"]]


def test_without_a_router_nobody_is_anywhere(wamp: WAMP, realm: MemoryRealm, caplog: pytest.LogCaptureFixture) -> None:
    member, _ = members(wamp)
    realm.disconnect()
    member.changed_for("user:1")
    assert "Where user:1 is present is not known" in caplog.text


class Session:
    _authrole = "user"

    def __init__(self, authid: str) -> None:
        self._authid = authid


class Subscription:
    def __init__(self, *authids: str) -> None:
        self.observers = [Session(authid) for authid in authids]


def test_the_roster_knows_where_somebody_is() -> None:
    found = {"a.here": [Subscription("user:1", "user:2")], "b.here": [Subscription("user:1")]}
    roster = Roster(lambda topic: found.get(topic, []), clock=lambda: 0.0)
    for topic in ("b.here", "a.here"):
        roster.expect(topic)
    roster.look()
    assert roster.whereabouts("user:1") == ["a.here", "b.here"]
    assert roster.whereabouts("user:2") == ["a.here"]
    assert roster.whereabouts("user:3") == []
