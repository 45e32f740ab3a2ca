"""Runs programs side by side: starts and stops them together, marks their output, restarts those that end.

Each program leads a process group of its own, so that stopping one also ends what it started. On Linux the kernel ends
them, too, when the supervisor itself is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

LAST_LINES = 20
POLL = 0.05
PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds before a program is started again, by how often it has ended of late
OF_LATE = 60.0
_PR_SET_PDEATHSIG = 1


class Program:
    """One running program: its process group, and the last lines it wrote.

    :param name: what its lines are marked with.
    :param command: a shell command; begin it with ``exec``, so that signals reach the program and not the shell.
    :param env: the whole environment.
    :param show: takes (name, line without its end); called in a thread of this program's own.
    """

    def __init__(
        self, name: str, command: str, env: Mapping[str, str], cwd: Path, show: Callable[[str, str], None]
    ) -> None:
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._show = show
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 -- one C call, which takes no Python lock
        )
        self._reader = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit status: None while it runs, negative when a signal ended it."""
        return self._process.poll()

    def terminate(self) -> None:
        if self.exit_code is None:
            self._process.terminate()

    def signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            os.killpg(self.pid, number)

    def kill_group(self) -> None:
        """Kill what is left of its group, and wait for its last output."""
        self.signal_group(signal.SIGKILL)
        self._process.wait()
        self.finish_output()

    def finish_output(self) -> None:
        self._reader.join(timeout=1)

    def _read(self) -> None:
        if (stream := self._process.stdout) is None:
            return
        with stream:
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip()
                self.last_lines.append(line)
                self._show(self.name, line)


class Supervisor:
    """Runs named programs until :meth:`request_stop`, then ends them all.

    Use as a context manager: leaving it stops every program and leaves no process behind.

    :param env: the programs' environment.
    :param cwd: where they run.
    :param show: takes (name, line) of everything they write, in threads.
    """

    def __init__(self, env: Mapping[str, str], cwd: Path, show: Callable[[str, str], None]) -> None:
        self._env = env
        self._cwd = cwd
        self._show = show
        self._stop = threading.Event()
        self._again: dict[str, str] = {}
        self.programs: list[Program] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_programs()

    def start(self, name: str, command: str, again: str | None = None) -> None:
        """Start a program. The first one is stopped last: what others need comes first.

        :param again: the command that starts it again, if that is another.
        """
        self._again[name] = again or command
        self.programs.append(self._run(name, command))

    def _run(self, name: str, command: str) -> Program:
        return Program(name, command, self._env, self._cwd, self._show_while_running)

    def _show_while_running(self, name: str, line: str) -> None:
        """Print a line, unless programs are being stopped: what they print then only looks alarming."""
        if not self.stopping:
            self._show(name, line)

    def request_stop(self) -> None:
        """Let :meth:`wait` return. May be called from a signal handler, and twice."""
        self._stop.set()

    def kill(self) -> None:
        """End every program at once. May be called from a signal handler."""
        for program in self.programs:
            program.signal_group(signal.SIGKILL)

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def ended(self) -> Program | None:
        """Return the first program that has ended, if any."""
        return next((program for program in self.programs if program.exit_code is not None), None)

    def wait(self, seconds: float | None = None, until: Callable[[], bool] | None = None) -> bool:
        """Wait until :meth:`request_stop`, a program ends, ``until`` is true, or the time is over.

        :returns: whether ``until`` became true.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self.stopping and self.ended() is None:
            if until and until():
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False
            self._stop.wait(POLL)
        return False

    def keep_running(self, report: Callable[[Program], None]) -> Program | None:
        """Restart programs that end, at once at first and then after longer pauses, until :meth:`request_stop`.

        :param report: takes each program that has ended and will be restarted.
        :returns: the program that has ended too often, if that is why this returns.
        """
        ends: dict[str, deque[float]] = {program.name: deque(maxlen=len(PAUSES) + 1) for program in self.programs}
        due: dict[Program, float] = {}
        while not self.stopping:
            now = time.monotonic()
            for place, program in enumerate(self.programs):
                if program.exit_code is None:
                    continue
                if program not in due:
                    program.kill_group()
                    ends[program.name].append(now)
                    often = sum(now - end < OF_LATE for end in ends[program.name])
                    if often > len(PAUSES):
                        return program
                    due[program] = now + PAUSES[often - 1]
                    report(program)
                if now >= due[program]:
                    del due[program]
                    self.programs[place] = self._run(program.name, self._again[program.name])
            self._stop.wait(POLL)
        return None

    def stop_programs(self, grace: float = 1.4, last_grace: float = 0.5) -> None:
        """Stop the last started first, so that workers can say goodbye to the router; kill what is late.

        :param grace: seconds for all but the first program, together.
        :param last_grace: seconds for the first program, which the others need until they are gone.
        """
        self._stop.set()
        if not self.programs:
            return
        first, *others = self.programs
        for program in reversed(others):
            program.terminate()
        _wait_for(others, grace)
        first.terminate()
        _wait_for([first], last_grace)
        for program in self.programs:
            program.kill_group()


def _wait_for(programs: list[Program], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(program.exit_code is None for program in programs) and time.monotonic() < deadline:
        time.sleep(POLL)


def end_with_parent() -> Callable[[], None] | None:
    """Return what a new process calls before it becomes the program: it asks for SIGTERM when its parent dies.

    For ``preexec_fn`` of a :class:`subprocess.Popen`.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
