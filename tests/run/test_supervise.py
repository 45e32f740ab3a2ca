"""Programs side by side, with real processes: told apart, ended together, nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from wampflask.apps import serve, supervise
from wampflask.apps.supervise import Program, Supervisor
from wampflask.router.wire import wait_until
from wampflask.testing import free_port

ROOT = Path(__file__).resolve().parents[2]

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);print('deaf', flush=True); time.sleep(60)"
)
POLITE = """
import os, signal, sys, time
def end(*_):
    print('bye', flush=True)
    open('{}/ends', 'a').write(str(os.getpid()) + ' ')
    sys.exit()
signal.signal(signal.SIGTERM, end)
print('up', flush=True)
time.sleep(60)
"""
FAMILY = (
    "import subprocess, sys, time; child = subprocess.Popen(['sleep', '60']);"
    "print(child.pid, flush=True); time.sleep(60)"
)


def python(code: str) -> str:
    return f'{sys.executable} -c "{code}"'


class Output:
    """Collects lines, and waits for one."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._changed = threading.Condition()

    def __call__(self, name: str, line: str) -> None:
        with self._changed:
            self.lines.append((name, line))
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[list[tuple[str, str]]], bool], seconds: float = 10) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.lines), seconds), self.lines


@pytest.fixture
def output() -> Output:
    return Output()


@contextmanager
def supervisor(output: Output, **commands: str) -> Iterator[Supervisor]:
    with Supervisor(dict(os.environ), Path.cwd(), output) as site:
        for name, command in commands.items():
            site.start(name, f"exec {command}")
        yield site


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, psutil.Process(pid).cmdline()
        time.sleep(0.02)


def test_lines_carry_the_program_that_wrote_them(output: Output) -> None:
    with supervisor(output, one="sh -c 'echo 1; sleep 60'", two="sh -c 'echo 2 >&2; sleep 60'"):
        output.wait_for(lambda lines: len(lines) == 2)
    assert sorted(output.lines) == [("one", "1"), ("two", "2")]


def test_the_end_of_one_ends_the_wait_and_keeps_its_last_lines(output: Output) -> None:
    with supervisor(output, one="sleep 60", two=python("print('reason'); raise SystemExit(3)")) as site:
        assert not site.wait(10)
        dead = site.ended()
        assert dead is not None
        dead.finish_output()
        assert (dead.name, dead.exit_code, list(dead.last_lines)) == ("two", 3, ["reason"])
        other = site.programs[0].pid
    wait_gone(other)


def test_one_that_ignores_sigterm_is_killed_in_time(output: Output) -> None:
    with supervisor(output, deaf=python(STUBBORN), deaf2=python(STUBBORN)) as site:
        output.wait_for(lambda lines: len(lines) == 2)
        before = time.monotonic()
        site.stop_programs()
        assert time.monotonic() - before < 3
        assert [program.exit_code for program in site.programs] == [-signal.SIGKILL] * 2


def test_what_a_program_started_goes_with_it(output: Output) -> None:
    with supervisor(output, family=python(FAMILY)):
        output.wait_for(lambda lines: len(lines) == 1)
    wait_gone(int(output.lines[0][1]))


def test_the_first_is_stopped_last_and_nothing_is_shown_then(output: Output, tmp_path: Path) -> None:
    with supervisor(output, first=python(POLITE.format(tmp_path)), second=python(POLITE.format(tmp_path))) as site:
        output.wait_for(lambda lines: len(lines) == 2)
    first, second = (program.pid for program in site.programs)
    assert (tmp_path / "ends").read_text().split() == [str(second), str(first)]
    assert {line for _, line in output.lines} == {"up"}


def test_a_condition_ends_the_wait(output: Output) -> None:
    with supervisor(output, one="sleep 60") as site:
        assert site.wait(10, until=lambda: True)
        assert not site.wait(0.1, until=lambda: False)
        site.request_stop()
        assert not site.wait()


def test_what_ends_is_started_again_and_the_others_stay(output: Output) -> None:
    """With the command for that; what it had started is gone by then."""
    told: list[tuple[str, int | None]] = []
    with Supervisor(dict(os.environ), Path.cwd(), output) as site:
        site.start("one", f"exec {python(FAMILY)}", again="echo again; exec sleep 60")
        site.start("two", "exec sleep 60")
        output.wait_for(lambda lines: len(lines) == 1)
        one, two = site.programs

        def tell(program: Program) -> None:
            told.append((program.name, program.exit_code))

        def kill_then_stop() -> None:
            os.kill(one.pid, signal.SIGKILL)
            output.wait_for(lambda lines: ("one", "again") in lines)
            site.request_stop()

        with running(kill_then_stop):
            assert site.keep_running(tell) is None
        wait_gone(int(output.lines[0][1]))
        assert site.programs[0].pid != one.pid
        assert site.programs[1] is two
        assert two.exit_code is None
        assert told == [("one", -signal.SIGKILL)]


def test_what_ends_too_often_is_given_up(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a pause for each time it ended of late."""
    monkeypatch.setattr(supervise, "PAUSES", (0.0, 0.01, 0.01))
    told: list[str] = []
    with supervisor(output, well="sleep 60", ill=python("print('reason'); raise SystemExit(3)")) as site:
        given_up = site.keep_running(lambda program: told.append(program.name))
        assert given_up is not None
        given_up.finish_output()
        assert (given_up.name, given_up.exit_code, list(given_up.last_lines)) == ("ill", 3, ["reason"])
        assert site.programs[0].exit_code is None
    assert told == ["ill"] * 3
    assert output.lines.count(("ill", "reason")) == 4


def test_what_ended_long_ago_does_not_count(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "PAUSES", (0.0, 60.0))
    monkeypatch.setattr(supervise, "OF_LATE", 1e-6)
    told: list[str] = []
    with supervisor(output, ill="true") as site:

        def tell(program: Program) -> None:
            told.append(program.name)
            if len(told) == 5:
                site.request_stop()

        assert site.keep_running(tell) is None
    assert told == ["ill"] * 5


@contextmanager
def running(action: Callable[[], None]) -> Iterator[None]:
    """Run ``action`` beside the block, in a thread."""
    thread = threading.Thread(target=action)
    thread.start()
    yield
    thread.join()


def test_a_killed_supervisor_takes_its_programs_along(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.fail("only Linux tells a program that its parent died; run this test there")
    code = (
        "import os, pathlib, time; from wampflask.apps.supervise import Supervisor\n"
        "with Supervisor(dict(os.environ), pathlib.Path.cwd(), print) as site:\n"
        "    site.start('one', 'exec sleep 60')\n"
        "    print(site.programs[0].pid, flush=True); site.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    wait_gone(pid)


def test_a_killed_router_comes_back_and_the_pages_with_it(tmp_path: Path) -> None:
    """Twice, under the whole site; Ctrl-C still ends everything in order."""
    port = free_port()
    places = {"PORT": str(port), "WAMP_PORT": str(free_port()), "INSTANCE": str(tmp_path / "i")}
    env = {**os.environ, **places, "WAMPFLASK_LOCAL_AGENT": "0", "PYTHONPATH": str(ROOT)}
    log = tmp_path / "log"
    with log.open("wb") as said:
        site = subprocess.Popen(
            [sys.executable, "-m", "wampflask.apps.serve"], cwd=ROOT, env=env, stdout=said, stderr=said
        )
    try:
        assert wait_until(lambda: "wampflask is running" in log.read_text(), 90), log.read_text()
        told = "wampflask: router was ended by signal 9; restarting it"
        for times in (1, 2):
            children = psutil.Process(site.pid).children()
            [router] = [program for program in children if "crossbar" in " ".join(program.cmdline())]
            router.kill()
            assert wait_until(lambda times=times: log.read_text().count(told) == times, 30), log.read_text()  # type: ignore[misc]
            assert wait_until(lambda: serve.is_ready(port), 60), log.read_text()
            again = psutil.Process(site.pid).children()
            assert router.pid not in {program.pid for program in again}
            assert {program.pid for program in children} - {program.pid for program in again} == {router.pid}
        programs = psutil.Process(site.pid).children(recursive=True)
        site.send_signal(signal.SIGINT)
        assert site.wait(30) == 0
        assert "Traceback" not in log.read_text()
        for program in programs:
            wait_gone(program.pid)
    finally:
        site.kill()
        site.wait()
