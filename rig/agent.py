"""Start and end the agent as its own process, as on a host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

AGENT = Path(__file__).resolve().parents[1] / "agent" / "agent.py"
PYTHON = os.environ.get("AGENT_PYTHON", sys.executable)
"""The agent's interpreter; set the variable to try another version than that of the tests."""


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a user who has nothing but ``folder``."""
    return {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", **more}


class AgentProcess:
    """One run of the agent; ends with the ``with``."""

    def __init__(self, folder: Path, *arguments: str, program: Path = AGENT, **env: str) -> None:
        self.state = folder / "state"
        self._log = folder / "agent.log"
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [PYTHON, "-W", "error", str(program), "--state", str(self.state), *arguments],
                env=environment(folder, **env),
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill9()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        """What it wrote, of all runs in this folder."""
        return self._log.read_text()

    def stop(self) -> int:
        """As systemd does; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(10)

    def kill9(self) -> None:
        if self.running:
            self._process.kill()
        self._process.wait()
