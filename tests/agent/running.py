"""Run the agent to its end, as on a host."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rig.agent import AGENT, PYTHON, environment

PACKAGE = AGENT.with_name("wampflask_agent")


def run(
    folder: Path, *arguments: str, timeout: float = 60, program: Path = AGENT, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the agent to its end."""
    return subprocess.run(
        [PYTHON, str(program), "--state", str(folder / "state"), *arguments],
        env=environment(folder, **env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
