"""Calls into players from Python, with players that are what a stranger's page may be: odd, slow, or gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from tests.apps.visiting import USER, Visitor
from wampflask import CallFailed
from wampflask.apps.player.contract import procedure
from wampflask.memory import MemoryRealm

IDS = {name: digit * 32 for name, digit in (("film", "a"), ("odd", "b"), ("broken", "c"), ("gone", "d"))}
STATE = {"present": True, "version": 1, "playing": True, "position": 65.4, "title": "<script>alert(1)</script>\x1b[31m"}


def fail() -> Any:
    raise CallFailed("player.error.invalid", "no")


@pytest.fixture
def paused(realm: MemoryRealm) -> list[str]:
    """Four players; who was told to pause."""
    told: list[str] = []

    def pause() -> dict[str, Any]:
        told.append("film")
        return {**STATE, "playing": False}

    realm.answer("wamp.registration.list", lambda: {"exact": list(range(5))})
    uris = ["demo.uuid", *(procedure(player, "status") for player in IDS.values())]
    realm.answer("wamp.registration.get", lambda number: {"uri": uris[number]})
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
    assert "Told 2 of 4 players to pause." in answer.text
    assert paused == ["film"]


def test_nobody_else_sees_players(app: Flask, paused: list[str], visitor: Visitor) -> None:
    assert visitor.get("/player/live").status_code == 302
    assert visitor.post("/player/live").status_code == 302
    user = Visitor(app).log_in(USER)
    assert user.get("/player/live").status_code == 403
    assert user.post("/player/live").status_code == 403
    assert paused == []


def test_no_player_is_said(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    realm.answer("wamp.registration.list", lambda: {"exact": []})
    assert "No player is open." in app.test_cli_runner().invoke(args=["player", "list"]).output
    assert "No player is open" in admin.get("/player/live").text


def test_without_a_router_it_is_said(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    realm.disconnect()
    done = app.test_cli_runner().invoke(args=["player", "list"])
    assert done.exit_code == 1
    assert "Error:" in done.output
    assert admin.get("/player/live").status_code == 503
