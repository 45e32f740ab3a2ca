"""One process of all leads: by the lock alone, beginning anew each time that it has it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from flask import Flask, current_app

from wampflask import WAMP
from wampflask._loop import Loop
from wampflask.leader import Leader
from wampflask.testing import in_memory


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = Flask("led", instance_path=str(tmp_path))
    WAMP(app)
    return app


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_leads_and_the_other_takes_over_when_the_lock_is_free(app: Flask) -> None:
    said: list[str] = []
    with in_memory(app) as realm:
        leaders = [
            Leader(app, "shop.watchman", partial(said.append, f"turn {n}"), begin=partial(said.append, f"begin {n}"))
            for n in range(2)
        ]
        for leader in leaders:
            leader.start()
            until(lambda: leaders[0].leads and "turn 0" in said)
        leaders[1].wake()
        assert [leader.leads for leader in leaders] == [True, False]
        assert said[:2] == ["begin 0", "turn 0"]
        leaders[0].stop(time.monotonic() + 10)
        realm.release("wampflask.lock.shop.watchman")  # as the router does when a session ends
        leaders[1].wake()
        until(lambda: "turn 1" in said)
        assert said[-2:] == ["begin 1", "turn 1"]
        realm.disconnect()
        assert not leaders[1].leads
        for leader in leaders:
            leader.stop(time.monotonic() + 10)


def test_a_beginning_that_fails_is_tried_again_before_any_turn(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    said: list[str] = []

    def begin() -> None:
        said.append("begin")
        if said == ["begin"]:
            raise RuntimeError("not yet")

    with in_memory(app):
        leader = Leader(app, "shop.watchman", lambda: said.append("turn"), begin=begin)
        leader.start()
        until(lambda: said)
        leader.wake()
        until(lambda: "turn" in said)
        leader.stop(time.monotonic() + 10)
    assert said[:3] == ["begin", "begin", "turn"]
    assert "not yet" in caplog.text


def test_a_loop_says_once_that_it_fails_and_goes_on(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    results: list[Exception | None] = [OSError("one"), OSError("two"), None, OSError("three"), None]
    names: list[str] = []
    ended = threading.Event()

    def turn() -> float:
        names.append(current_app.name)
        if not results:
            ended.set()
        elif result := results.pop(0):
            raise result
        return 0

    loop = Loop(app, "test", turn)
    with caplog.at_level(logging.ERROR):
        loop.start()
        loop.start()
        while not ended.is_set():
            loop.wake()
            time.sleep(0.01)
        assert loop.stop(time.monotonic() + 10)
    assert set(names) == {"led"}
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["one", "three"]
