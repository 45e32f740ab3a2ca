"""Real agents for browser tests: ``agent/agent.py`` in a process of its own, as on a host."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.agent import AGENT
from rig.live_site import LiveSite
from wampflask.router.wire import wait_until


class AgentProcess:
    """One host's agent. ``host``: its id, there once it has started."""

    def __init__(self, site: LiveSite, folder: Path, name: str) -> None:
        self._site = site
        self.folder = folder
        self.name = name
        self.log_file = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """The id that it keeps."""
        assert wait_until((self.folder / "host").exists, 20), self.log()
        return (self.folder / "host").read_text(encoding="utf-8").strip()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def start(self, token: str = "", program: Path = AGENT) -> None:
        """Run it.

        :param program: another one than ours.
        """
        command = [sys.executable, str(program), "--server", self._site.url]
        command += [
            "--state",
            str(self.folder),
            "--name",
            self.name,
            "--verbose",
            *(["--token", token] if token else []),
        ]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill9(self) -> None:
        """As a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """In order; nothing when it does not run."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None

    def log(self) -> str:
        """What it said."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""


@contextmanager
def agent_of(site: LiveSite, folder: Path, name: str) -> Iterator[AgentProcess]:
    """An agent that is not started yet; ended in any case."""
    agent = AgentProcess(site, folder, name)
    try:
        yield agent
    finally:
        agent.stop()
