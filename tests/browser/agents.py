"""Real agents for browser tests: ``agent/agent.py`` in a process of its own, as on a host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig.agent import AGENT, AgentProcess
from rig.live_site import LiveSite
from wampflask.router.wire import wait_until


class HostAgent:
    """One host's agent, which may be started and ended several times.

    :param name: the host's.
    """

    def __init__(self, site: LiveSite, folder: Path, name: str) -> None:
        folder.mkdir(exist_ok=True)
        self._site = site
        self._folder = folder
        self._process: AgentProcess | None = None
        self.name = name

    @property
    def host(self) -> str:
        """The id that it keeps."""
        file = self._folder / "state" / "host"
        assert wait_until(file.exists, 20), self.log()
        return file.read_text(encoding="utf-8").strip()

    @property
    def process(self) -> AgentProcess:
        """What runs now."""
        assert self._process is not None
        return self._process

    def start(self, token: str = "", program: Path = AGENT) -> None:
        """Run it.

        :param program: another one than ours.
        """
        options = ["--server", self._site.url, "--name", self.name, "--verbose"]
        self._process = AgentProcess(self._folder, *options, *(["--token", token] if token else []), program=program)

    def kill9(self) -> None:
        """As a power cut would."""
        self.process.kill9()
        self._process = None

    def stop(self) -> None:
        """In order; nothing when it does not run."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def log(self) -> str:
        """What it wrote."""
        return "" if self._process is None else self._process.log()


@contextmanager
def agent_of(site: LiveSite, folder: Path, name: str) -> Iterator[HostAgent]:
    """An agent that is not started yet; ended in any case."""
    agent = HostAgent(site, folder, name)
    try:
        yield agent
    finally:
        agent.stop()
