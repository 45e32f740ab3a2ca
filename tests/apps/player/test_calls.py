"""Calls into players from Python, with players that are what a stranger's page may be: odd, slow, or gone."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from flask import Flask

from tests.apps.visiting import USER, Visitor
from wampflask import CallFailed
from wampflask.apps.extensions import wamp
from wampflask.apps.player import calls
from wampflask.apps.player.contract import procedure
from wampflask.apps.player.procedures import presence
from wampflask.in_memory import MemoryRealm

IDS = {name: digit * 32 for name, digit in (("film", "a"), ("odd", "b"), ("broken", "c"), ("gone", "d"))}
STATE = {"present": True, "version": 1, "playing": True, "position": 65.4, "title": "<script>alert(1)</script>\x1b[31m"}


def fail() -> Any:
    raise CallFailed("player.error.invalid", "no")


@pytest.fixture
def paused(realm: MemoryRealm, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Four players; who was told to pause."""
    told: list[str] = []

    def pause() -> dict[str, Any]:
        told.append("film")
        return {**STATE, "playing": False}

    uris = ["demo.uuid", *(procedure(player, "status") for player in IDS.values())]
    monkeypatch.setattr(calls, "registered", lambda: dict(enumerate(uris)))  # one of them is gone when it is called
    realm.answer(procedure(IDS["film"], "status"), lambda: STATE)
    realm.answer(procedure(IDS["film"], "pause"), pause)
    realm.answer(procedure(IDS["odd"], "status"), lambda: ["no", "state"])
    realm.answer(procedure(IDS["odd"], "pause"), lambda: {"title": {"a": 1}, "position": "x" * 10, "playing": "yes"})
    realm.answer(procedure(IDS["broken"], "status"), fail)
    realm.answer(procedure(IDS["broken"], "pause"), fail)
    return told


def test_the_command_lists_players(app: Flask, paused: list[str]) -> None:
    done = app.test_cli_runner().invoke(args=["player", "list"])
    assert done.exit_code == 0
    film, odd, broken, gone = done.output.splitlines()
    assert film.split() == ["aaaaaaaa…", "playing", "1:05", "<script>alert(1)</script>?[31m"]
    assert "paused" in odd
    assert "failed: player.error.invalid" in broken
    assert "gone" in gone
    assert IDS["film"] not in done.output, "the whole id is the right to steer"


def test_the_command_pauses_all(app: Flask, paused: list[str]) -> None:
    done = app.test_cli_runner().invoke(args=["player", "pause-all", "--json"])
    answers = {answer["player"]: answer for answer in json.loads(done.output)}
    assert paused == ["film"]
    assert answers[IDS["film"]]["state"]["playing"] is False
    assert answers[IDS["gone"]]["problem"] == "gone"


def test_the_view_lists_and_pauses(app: Flask, paused: list[str], admin: Visitor) -> None:
    page = admin.get("/player/live").text
    assert "&lt;script&gt;alert(1)" in page
    assert "1:05" in page
    answer = admin.post("/player/live", follow_redirects=True)
    assert "Paused 2 of 4 players." in answer.text
    assert paused == ["film"]


def test_nobody_else_sees_players(app: Flask, paused: list[str], visitor: Visitor) -> None:
    assert visitor.get("/player/live").status_code == 302
    assert visitor.post("/player/live").status_code == 302
    user = Visitor(app).log_in(USER)
    assert user.get("/player/live").status_code == 403
    assert user.post("/player/live").status_code == 403
    assert paused == []


def test_no_player_is_said(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    assert "No player is open." in app.test_cli_runner().invoke(args=["player", "list"]).output
    assert "No open players" in admin.get("/player/live").text


def test_without_a_router_it_is_said(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    realm.disconnect()
    done = app.test_cli_runner().invoke(args=["player", "list"])
    assert done.exit_code == 1
    assert "Error:" in done.output
    assert admin.get("/player/live").status_code == 503


def of(number: int) -> str:
    return f"{number:032x}"


def test_mute_players_cost_each_other_no_time(app: Flask, realm: MemoryRealm) -> None:
    """All are asked before the first of them answers; nobody's silence is waited for in turn."""
    everyone = threading.Barrier(60)

    def answer() -> dict[str, Any]:
        everyone.wait(20)
        return STATE

    for number in range(60):
        realm.answer(procedure(of(number), "status"), answer)
    with app.app_context():
        answers = calls.ask([of(number) for number in range(60)])
    assert [answer.doing for answer in answers] == ["playing"] * 60


def test_more_players_than_can_be_asked_are_counted(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    with app.app_context():
        for number in range(calls.AT_ONCE + 7):
            presence().opened(number, procedure(of(number), "status"))
    page = admin.get("/player/live").text
    assert page.count("gone") == calls.AT_ONCE
    assert "7 more are open" in page


def test_one_players_nonsense_hides_no_other(
    app: Flask, paused: list[str], realm: MemoryRealm, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(uri: str, *args: Any, **options: Any) -> Any:
        if uri == procedure(IDS["odd"], "status"):
            raise TypeError("got multiple values for argument 'uri'")
        return real(uri, *args, **options)

    real = wamp.call
    monkeypatch.setattr(wamp, "call", call)
    page = admin.get("/player/live")
    assert page.status_code == 200
    assert "unreadable answer" in page.text
    assert "1:05" in page.text


ABSURD = {"position": 1e999, "duration": float("nan"), "volume": 10**400, "index": True, "version": "1", "count": -1}
ABSURD |= {"title": "\ud800" + "x" * 10_000, "playing": "yes", "items": [[[]]], "error": {"a": 1}}


@pytest.mark.parametrize("given", [None, [], "x", 1, ABSURD])
def test_of_a_state_only_what_is_plausible_is_read(given: Any) -> None:
    state = calls.read_state(given)
    assert set(state) == ({"title"} if given is ABSURD else set())
    assert len(state.get("title", "").encode()) <= calls.TEXT_MAX
    answer = calls.Answer("a" * 32, state)
    assert (answer.doing, answer.clock) == ("paused", "")
