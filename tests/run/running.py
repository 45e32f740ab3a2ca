"""One run of the whole site, as a person starts it: `make run` in a terminal, Ctrl-C at the end."""

from __future__ import annotations

import ctypes
import http.client
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from wampflask.testing import free_port

ROOT = Path(__file__).resolve().parents[2]
STARTED = "wampflask is running"
STOP_WITHIN = 30.0
"""Seconds: a bound for a busy machine, not a promise of speed."""
START_WITHIN = 120.0  # seconds: a bound for a busy machine

_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE = 24, 1


def terminal() -> dict[str, str]:
    """The environment of a person's terminal, also when `make test` started the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "WAMP"))}


class Site:
    """One `make run`, in a process group of its own as a terminal gives it.

    :param instance: the instance folder; it need not exist.
    """

    def __init__(self, instance: Path, port: int = 0, wamp_port: int = 0, env: Mapping[str, str] | None = None) -> None:
        self.instance = instance
        self.port = port or free_port()
        self.wamp_port = wamp_port or free_port()
        places = {"PORT": str(self.port), "WAMP_PORT": str(self.wamp_port), "INSTANCE": str(instance)}
        self._process = subprocess.Popen(
            ["make", "--no-print-directory", "run"],
            cwd=ROOT,
            env={**terminal(), **places, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._begun = time.monotonic()
        self.ready_after = 0.0
        self._text: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._family: dict[int, psutil.Process] = {}

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._text.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def output(self) -> str:
        return "".join(self._text)

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def wait_ready(self) -> Site:
        """Wait for the welcome, and remember every process that belongs to the site."""
        with self._changed:
            self._changed.wait_for(lambda: STARTED in self.output or not self._reader.is_alive(), START_WITHIN)
        assert STARTED in self.output, self.output
        self.ready_after = time.monotonic() - self._begun
        self.wait_output("Press Ctrl-C to stop.")
        self.family()
        return self

    def wait_output(self, words: str, seconds: float = 10) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: words in self.output, seconds), self.output

    def family(self) -> list[psutil.Process]:
        """All processes of the site that are alive, `make` included; those seen earlier, too."""
        me = psutil.Process(self._process.pid)
        for process in [me, *me.children(recursive=True)]:
            self._family[process.pid] = process
        return [process for process in self._family.values() if is_alive(process)]

    def of_program(self, word: str) -> psutil.Process:
        """The first process of the family whose command line has `word` in it."""
        return next(process for process in self.family() if any(word in part for part in process.cmdline()))

    def ctrl_c(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)

    def terminate(self) -> None:
        self._process.terminate()

    def wait_end(self, seconds: float = STOP_WITHIN) -> int:
        """Wait for the end of every process.

        :return: the exit code of `make`.
        """
        deadline = time.monotonic() + seconds
        code = self._process.wait(seconds)
        while left := [process for process in self._family.values() if is_alive(process)]:
            assert time.monotonic() < deadline, [(process.pid, process.cmdline()) for process in left]
            time.sleep(0.02)
        self._reader.join()
        return code

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def admin_password(self) -> str | None:
        found = re.search(r"with the password (\S+)", self.output)
        return found[1] if found else None

    def close(self) -> None:
        """End whatever is left, in whatever state a failed test left it."""
        for process in [*self._family.values()] if self.exit_code is not None else self.family():
            if is_alive(process):
                process.kill()
        self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def obey_permissions() -> None:
    """Make root obey a folder's mode, as every other user must. Called in the child."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE)


def only_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]
