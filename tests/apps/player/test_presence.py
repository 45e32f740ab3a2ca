"""Which players are there, in whatever order the router's events are handled; and what remotes are told."""

from __future__ import annotations

from flask import Flask

from wampflask.apps.player import procedures
from wampflask.apps.player.contract import player_of, procedure, state_topic
from wampflask.apps.player.procedures import presence
from wampflask.apps.player.service import Presence
from wampflask.in_memory import MemoryRealm
from wampflask.publication import Publication

ID = "0123456789abcdef" * 2
STATUS = f"player.{ID}.status"


def test_the_end_of_a_player_is_told_once() -> None:
    players = Presence()
    assert players.opened(7, STATUS) is None
    assert players.closed(7) == ID
    assert players.closed(7) is None


def test_an_end_that_is_handled_before_its_beginning_is_told_too() -> None:
    players = Presence()
    assert players.closed(7) is None
    assert players.opened(7, STATUS) == ID
    assert len(players) == 0


def test_other_registrations_are_no_players() -> None:
    players = Presence()
    for number, uri in enumerate(("demo.uuid", f"player.{ID}.play", "player.short.status", STATUS.upper())):
        players.opened(number, uri)
        assert players.closed(number) is None


def test_what_is_kept_is_bounded() -> None:
    players = Presence()
    for number in range(5000):
        players.closed(number)
    assert players.opened(4999, STATUS) == ID
    assert players.opened(1, STATUS) is None


def test_a_lost_router_takes_all_players_with_it() -> None:
    players = Presence()
    players.opened(7, STATUS)
    players.forget()
    assert players.closed(7) is None


def test_ids_are_told_from_other_words() -> None:
    assert player_of(procedure(ID, "status")) == ID
    for wrong in ("", ID[:-1], ID + "0", ID.upper(), "<script>", f"{ID}\n"):
        assert player_of(procedure(wrong, "status")) is None
    assert player_of(f"{STATUS}\n") is None


def test_remotes_are_told_when_the_router_tells_us(realm: MemoryRealm) -> None:
    details = {"id": 7, "uri": STATUS, "match": "exact"}
    realm.publish(Publication("wamp.registration.on_create", [1, details]))
    realm.publish(Publication("wamp.registration.on_delete", [1, 7]))
    told = [event for event in realm.published if not event.topic.startswith("wamp.")]
    assert [(event.topic, event.args) for event in told] == [(state_topic(ID), [{"present": False}])]


def test_a_worker_learns_of_the_players_before_it(app: Flask, realm: MemoryRealm) -> None:
    realm.answer(STATUS, dict)
    with app.app_context():
        procedures._begin(app, session=1)
        assert len(presence()) == 1
        procedures._forget(app, reason="test")
        assert len(presence()) == 0
