"""Several processes on one realm: who handles what, who holds what, and who takes over."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.processes.programs import Listener, Probe, Remote, at_most, eventually, is_gone
from wampflask.router import wire
from wampflask.router.wire import Refused
from wampflask.testing import RouterNode

TAKEOVER = 1.5
"""Seconds: the next holder asks each half second; the rest is for a busy machine."""


@pytest.fixture
def three(env: dict[str, str], tmp_path: Path) -> Iterator[list[Remote]]:
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Remote(tmp_path, env)) for _ in range(3)]
        for worker in workers:
            worker.start("connect")
        for worker in workers:
            assert worker.answer() == worker.pid
        yield workers


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: is_gone(pid), f"process {pid} is gone")


def test_a_single_subscription_runs_once_and_is_taken_over(
    three: list[Remote], prefix: str, probe: Probe, node: RouterNode
) -> None:
    for worker in three:
        assert worker.ask("declare_single", "event") is None
    eventually(lambda: probe.subscribers(f"{prefix}.event") == 3, "all three subscribed", 5)
    pids = {worker.pid for worker in three}
    with Listener(node, f"{prefix}.handled") as handled:
        numbers = range(30)
        publish_until_handled(probe, handled, f"{prefix}.event")
        for number in numbers:
            probe.wire.ask(wire.PUBLISH, f"{prefix}.event", [number], options={"acknowledge": True})
        reports = [handled.next() for _ in numbers]
        assert sorted(number for number, _ in reports) == list(numbers), "each event was handled exactly once"
        [leader] = {pid for _, pid in reports}
        assert leader in pids

        kill(leader)
        began = time.monotonic()
        heir = publish_until_handled(probe, handled, f"{prefix}.event")
        assert time.monotonic() - began < at_most(TAKEOVER)
        assert heir in pids - {leader}
        for number in numbers:
            probe.wire.ask(wire.PUBLISH, f"{prefix}.event", [number], options={"acknowledge": True})
        reports = [handled.next() for _ in numbers]
        assert sorted(reports) == [[number, heir] for number in numbers]
        assert handled.all(0.2) == []


def publish_until_handled(probe: Probe, handled: Listener, topic: str) -> int:
    """Publish until somebody handles an event, and take away what is told of these; who handled them."""
    by: set[int] = set()

    def is_handled() -> bool:
        probe.wire.ask(wire.PUBLISH, topic, [-1], options={"acknowledge": True})
        by.update(pid for _, pid in handled.all(0.05))
        return bool(by)

    eventually(is_handled, "an event was handled", 5)
    by.update(pid for _, pid in handled.all(0.2))
    [pid] = by
    return pid


def test_invoke_policies(three: list[Remote], prefix: str, probe: Probe) -> None:
    for number, worker in enumerate(three, 1):
        for policy in ("first", "last", "roundrobin", "random", "single"):
            worker.ask("declare_procedure", policy, policy)
        for policy, expected in (("random", number), ("single", 1)):
            uri = f"{prefix}.{policy}"
            eventually(lambda: probe.callees(uri) == expected, f"{uri} is registered", 5)  # noqa: B023 - waited for here
    pids = [worker.pid for worker in three]
    assert [worker.ask("connect") for worker in three] == pids, "one that stands by is ready too"
    calls = 30
    answers = {
        policy: [probe.call(f"{prefix}.{policy}") for _ in range(calls)]
        for policy in ("first", "last", "roundrobin", "random", "single")
    }
    assert set(answers["first"]) == {pids[0]}
    assert set(answers["last"]) == {pids[2]}
    assert Counter(answers["roundrobin"]) == dict.fromkeys(pids, calls // 3)
    assert len(set(answers["random"])) > 1
    assert set(answers["single"]) == {pids[0]}

    kill(pids[0])
    began = time.monotonic()

    def single() -> int | None:
        with contextlib.suppress(Refused):
            return int(probe.call(f"{prefix}.single"))
        return None

    heir = eventually(single, "another took over the procedure that one alone may have", 5)
    assert time.monotonic() - began < at_most(TAKEOVER)
    assert heir in pids[1:]
    assert probe.call(f"{prefix}.first") == pids[1]
    assert ["refused" in worker.said() for worker in three] == [False] * 3


def test_policies_that_contradict_each_other_are_told_once(three: list[Remote], prefix: str, probe: Probe) -> None:
    one, two, _ = three
    one.ask("declare_procedure", "both", "first")
    eventually(lambda: probe.callees(f"{prefix}.both") == 1, "registered", 5)
    two.ask("declare_procedure", "both", "last")
    for _ in range(2):
        answer = two.ask("connect", 0.8)
        assert "procedure_exists_with_different_invocation_policy" in answer["error"]
    assert two.said().count("The router refused") == 1, two.said()


def test_a_lock_is_held_by_one_and_freed_when_its_holder_dies(three: list[Remote]) -> None:
    one, two, three_ = three
    assert one.ask("acquire", "nightly") is True
    assert two.ask("acquire", "nightly") is False
    assert two.ask("acquire", "other") is True, "another name is another lock"
    one.ask("release", "nightly")
    assert two.ask("acquire", "nightly") is True
    assert three_.ask("acquire", "nightly") is False
    kill(two.pid)
    began = time.monotonic()
    eventually(lambda: three_.ask("acquire", "nightly"), "freed by the router", 5)
    assert time.monotonic() - began < at_most(1)
    assert one.ask("acquire", "nightly") is False
