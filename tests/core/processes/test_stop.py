"""A worker that is told to stop: what it began it ends, what is on its way arrives, and nobody else notices."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.core.processes.programs import (
    BIN,
    Listener,
    Probe,
    Program,
    Remote,
    at_most,
    eventually,
    gunicorn,
    is_gone,
    raw_call,
)
from tests.core.processes.relay import Relay
from wampflask.router import wire
from wampflask.testing import RouterNode, free_port

LIMIT = 2.0
"""Seconds from SIGTERM to the worker's end."""

Env = dict[str, str]


def seconds_to_end(pid: int, number: signal.Signals = signal.SIGTERM) -> float:
    """Send a signal and wait for the process's end."""
    began = time.monotonic()
    os.kill(pid, number)
    eventually(lambda: is_gone(pid), f"process {pid} ended")
    return time.monotonic() - began


def test_a_running_handler_finishes_and_then_the_worker_says_goodbye(
    site: Path, env: Env, prefix: str, node: RouterNode, probe: Probe
) -> None:
    with (
        Relay(node.url) as relay,
        Listener(node, f"{prefix}.started") as started,
        Program(gunicorn(free_port(), workers=1), site, {**env, "WAMP_URL": relay.url}) as server,
    ):
        eventually(lambda: probe.callees(f"{prefix}.slow") == 1, lambda: f"registered\n{server.said()}")
        request = raw_call(probe.wire, f"{prefix}.slow", 1.0)
        [worker] = started.next()
        took = seconds_to_end(worker)
        answer = probe.wire.receive()
        assert answer[:2] == [wire.RESULT, request], "the handler finished and its caller got the result"
        assert answer[3] == [worker]
        assert took < at_most(LIMIT)
        first_session = relay.said[: 1 + relay.said.index(("worker", [wire.GOODBYE, {}, "wamp.close.normal"]))]
        eventually(lambda: probe.callees(f"{prefix}.slow") == 1, "its successor is there")
        kinds = [message[0] for who, message in first_session if who == "worker"]
        assert kinds.index(wire.UNREGISTER) < kinds.index(wire.YIELD) < kinds.index(wire.GOODBYE)
        assert kinds.count(wire.UNREGISTER) == kinds.count(wire.REGISTER) == 4, "three of the app, and its own"
        server.end()
        server.assert_quiet()


def test_callers_elsewhere_notice_nothing(site: Path, env: Env, prefix: str, probe: Probe, tmp_path: Path) -> None:
    with Remote(tmp_path / "caller", env) as caller, Program(gunicorn(free_port()), site, env) as server:
        eventually(lambda: probe.callees(f"{prefix}.pid") == 2, lambda: f"two workers registered\n{server.said()}")
        caller.ask("connect")
        caller.ask("hammer", "pid", 3)
        stopped = []
        for _ in range(3):
            worker = server.children()[0]
            assert seconds_to_end(worker) < at_most(LIMIT)
            stopped.append(worker)
            eventually(lambda: probe.callees(f"{prefix}.pid") == 2, lambda: f"it was replaced\n{server.said()}")
        report = caller.ask("rest")
        assert report["failures"] == []
        assert report["answered"] > 100
        assert len(report["by"]) >= 4, "the stopped workers and their successors had all answered"
        assert set(stopped) <= set(report["by"])
        assert caller.leave() == 0
        server.end()
        server.assert_quiet()


def test_a_handler_that_hangs_does_not_hold_the_exit(
    site: Path, env: Env, prefix: str, node: RouterNode, probe: Probe
) -> None:
    with (
        Listener(node, f"{prefix}.started") as started,
        Program(gunicorn(free_port(), workers=1), site, env) as server,
    ):
        eventually(lambda: probe.callees(f"{prefix}.slow") == 1, lambda: f"registered\n{server.said()}")
        request = raw_call(probe.wire, f"{prefix}.slow", 3600)
        [worker] = started.next()
        assert seconds_to_end(worker) < at_most(LIMIT)
        answer = probe.wire.receive()
        assert answer[:3] == [wire.ERROR, wire.CALL, request], "its caller is told at once"


LAST_WORDS = """
from app_small import PREFIX, app, wamp
with app.app_context():
    for number in range(1000):
        wamp.publish_later(f"{PREFIX}.heard", number)
    wamp.publish_latest(f"{PREFIX}.latest", "the last value")
wamp.on("stopping")(lambda: wamp.publish_later(f"{PREFIX}.ending", "at the moment 'stopping'"))
print("all queued", flush=True)
"""


def test_what_was_queued_just_before_the_end_arrives(site: Path, env: Env, prefix: str, node: RouterNode) -> None:
    (site / "last.py").write_text(LAST_WORDS, encoding="utf-8")
    with (
        Listener(node, f"{prefix}.heard") as heard,
        Listener(node, f"{prefix}.latest") as latest,
        Listener(node, f"{prefix}.ending") as ending,
        Program([BIN / "python", "last.py"], site, env) as script,
    ):
        assert script.wait() == 0
        assert ending.next(1) == ["at the moment 'stopping'"]
        assert [heard.next(1)[0] for _ in range(1000)] == list(range(1000))
        assert latest.next(1) == ["the last value"]
        script.assert_quiet()


def test_without_a_router_the_end_does_not_wait_for_one(site: Path, env: Env) -> None:
    (site / "last.py").write_text(LAST_WORDS, encoding="utf-8")
    with Program([BIN / "python", "last.py"], site, {**env, "WAMP_URL": f"unix:{site}/nobody.sock"}) as script:
        eventually(lambda: "all queued" in script.said(), script.said)
        began = time.monotonic()
        assert script.wait() == 0
        assert time.monotonic() - began < at_most(LIMIT)
        assert "cannot reach unix:" in script.said()
        script.assert_quiet()
