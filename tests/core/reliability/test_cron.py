"""Jobs over several workers and two routers, with kills in the middle: none doubled, none missing beyond the rule."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.core.processes.programs import BIN, Program, at_most, configuration, eventually, is_gone
from wampflask.runs import Run, Runs
from wampflask.store import Store
from wampflask.testing import RouterNode, free_port

APP = Path(__file__).with_name("app_cron.py")
TAKEOVER = 5
"""Seconds in which another worker goes on, after one that led has died."""

ENDS = (("done",), ("lost", "running"))
"""Outcomes of runs that went on to their end, and of those that did not. A dead one looks alive for some seconds."""


class Executed(NamedTuple):
    """A run as the job itself has noted it; ``end`` is None when it was killed."""

    pid: int
    begin: float
    end: float | None


class Evidence:
    """What the database says, and what the jobs themselves have noted."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'shared.db'}"
        self.log = folder / "log"
        self._store = Store(self.url)
        self._runs = Runs(self._store, "test")

    def close(self) -> None:
        self._store.close()

    def runs(self, job: str = "quick") -> list[Run]:
        """Oldest first."""
        return self._runs.of(job)[::-1]

    def executed(self) -> dict[str, list[Executed]]:
        """By job, in the order of their beginning."""
        found: dict[str, list[Executed]] = defaultdict(list)
        for line in self.log.read_text().splitlines():
            job, what, pid, moment = line.split()
            if what == "begin":
                found[job].append(Executed(int(pid), float(moment), None))
            else:
                last = max(n for n, run in enumerate(found[job]) if run.pid == int(pid) and run.end is None)
                found[job][last] = found[job][last]._replace(end=float(moment))
        return found

    def done_by(self) -> dict[int, int]:
        """How many quick runs each process has finished."""
        found: dict[int, int] = defaultdict(int)
        for run in self.runs():
            found[pid_of(run)] += run.outcome == "done"
        return found


def pid_of(run: Run) -> int:
    return int(run.place.rpartition(":")[2])


@pytest.fixture
def evidence(tmp_path: Path) -> Iterator[Evidence]:
    evidence = Evidence(tmp_path)
    yield evidence
    evidence.close()


@pytest.fixture
def second() -> Iterator[RouterNode]:
    """A router with a node folder of its own, whose workers know nothing of the first one's."""
    with RouterNode() as node:
        yield node


def gunicorn(folder: Path, router: RouterNode, evidence: Evidence, workers: int) -> Program:
    folder.mkdir()
    shutil.copy(APP, folder)
    env = {**configuration(router), "WAMP_DATABASE": evidence.url, "DEMO_LOG": str(evidence.log)}
    options = ["--no-control-socket", "--bind", f"127.0.0.1:{free_port()}", "--worker-class", "gthread"]
    return Program([BIN / "gunicorn", *options, "--workers", str(workers), "app_cron:app"], folder, env)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: is_gone(pid), f"process {pid} is gone")


def test_every_run_is_one_whatever_dies(
    router: RouterNode, second: RouterNode, evidence: Evidence, tmp_path: Path
) -> None:
    with gunicorn(tmp_path / "two", router, evidence, 2) as two:

        def goes_on(by: Collection[int] | None = None, more: int = 2) -> None:
            """Wait for more runs, by anybody or by one of these processes."""
            before = evidence.done_by()

            def has_gone_on() -> bool:
                now = evidence.done_by()
                return sum(now[pid] - before.get(pid, 0) for pid in now if by is None or pid in by) >= more

            eventually(has_gone_on, lambda: f"{before} {evidence.done_by()}\n{two.said()}\n{evidence.runs()}", 30)

        goes_on()
        leader = pid_of(evidence.runs()[-1])
        assert {pid_of(run) for run in evidence.runs()[-2:]} == {leader}, "one of the two runs them"
        kill(leader)
        goes_on()
        router.kill9()
        goes_on()
        with gunicorn(tmp_path / "one", second, evidence, 1) as one:
            eventually(one.children, "its worker")
            goes_on(by=one.children())
            router.start()
            goes_on()
            kill(pid_of(evidence.runs()[-1]))
            goes_on()
            assert one.end() == 0
        goes_on(by=two.children())
        assert two.end() == 0
        assert "Traceback" not in two.said() + one.said()

    runs, executed = evidence.runs(), evidence.executed()
    for before, after in pairwise(runs):
        assert (after.due - before.due).total_seconds() == 1 + after.passed, "what was left out is counted"
    assert max(run.passed for run in runs) < at_most(TAKEOVER)
    for job in ("quick", "slow"):
        by, outcomes = Counter(run.pid for run in executed[job]), Counter(run.outcome for run in evidence.runs(job))
        done, cut = (Counter(pid_of(run) for run in evidence.runs(job) if run.outcome in wanted) for wanted in ENDS)
        assert set(outcomes) <= {"done", "lost", "running", "skipped"}
        assert cut.total() <= 2 + 2, f"runs of the killed, and those at the ends of workers: {outcomes}"
        assert done <= by <= done + cut, "each claim was executed once, if its process lived, and nothing without one"
    for first, following in pairwise(executed["slow"]):
        assert first.end is None or first.end <= following.begin, "no two at a time"
    assert "skipped" in {run.outcome for run in evidence.runs("slow")}
