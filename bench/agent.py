"""What the agent costs its host at one sample a second, beside Glances' at one screen a second.

Both as their own processes on this machine, in turn, each warmed up; CPU of one core by the kernel's counters, memory
as the largest resident size seen. Glances stands in an environment of its own, ``build/glances``, made when missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.agent.hub import Hub
from tests.agent.running import AgentProcess
from wampflask.apps.monitor import contract
from wampflask.testing import RouterNode

from .figures import MissingDeliveryError

WARM_UP = 8.0
SECONDS = 30.0
MAX_CPU = 0.01
MAX_MEMORY = 45e6  # bytes
GLANCES = Path(__file__).resolve().parents[1] / "build" / "glances"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one program. ``cpu``: share of one core; ``memory``: bytes."""

    name: str
    cpu: float
    memory: float

    def __str__(self) -> str:
        return f"{self.name:<34} {self.cpu:7.2%} of a core, {self.memory / 1e6:6.1f} MB"


def measure(seconds: float = SECONDS) -> tuple[list[str], bool]:
    """A line a program and one that compares them; and whether the agent costs no more than promised."""
    with tempfile.TemporaryDirectory(prefix="wampflask-") as folder, _agent(Path(folder)) as (pid, handled):
        before = handled()
        agent = _cost("agent, 1 sample a second", pid, seconds)
        if handled() - before < seconds - contract.DEFAULT_CONFIG["handover"] - 2:
            raise MissingDeliveryError(f"{handled() - before} samples were stored in {seconds:g} s")
    kept = agent.cpu <= MAX_CPU and agent.memory <= MAX_MEMORY
    promise = f"(promised {MAX_CPU:.0%} and {MAX_MEMORY / 1e6:.0f} MB)  {'ok' if kept else 'MISSED'}"
    with _glances() as glances:
        other = _cost("Glances, --stdout, 1 screen a second", glances.pid, seconds)
    lines = [
        f"{agent}  {promise}",
        str(other),
        f"Glances against the agent: {other.cpu / agent.cpu:.1f} times CPU, {other.memory / agent.memory:.2f} memory",
    ]
    return lines, kept


@contextmanager
def _agent(folder: Path) -> Iterator[tuple[int, Callable[[], int]]]:
    """The agent at work: its process, and how many of its samples the hub has stored."""
    with (
        RouterNode(permissions=contract.PERMISSIONS) as node,
        Hub(node, frequency=1.0, handover=10.0) as hub,
        AgentProcess(folder, "--server", hub.address, "--token", hub.token()) as running,
    ):
        _, host = hub.one()
        yield running.pid, lambda: host.stored


@contextmanager
def _glances() -> Iterator[subprocess.Popen[bytes]]:
    """Glances with what the agent measures, as text."""
    program = GLANCES / "bin" / "glances"
    if not program.exists():
        venv.create(GLANCES, with_pip=True)
        subprocess.run([GLANCES / "bin" / "pip", "install", "--quiet", "glances"], check=True)
    shown = "cpu,percpu,load,mem,memswap,fs,diskio,network,sensors,uptime,processcount"
    command = [str(program), "--stdout", shown, "--time", "1", "--disable-check-update"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "LANG": "C.UTF-8"}
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def _cost(name: str, pid: int, seconds: float) -> Cost:
    """Of a process that has just begun."""
    process = psutil.Process(pid)
    time.sleep(WARM_UP)
    used, began, memory = sum(process.cpu_times()[:2]), time.monotonic(), 0.0
    while time.monotonic() - began < seconds:
        time.sleep(1.0)
        memory = max(memory, process.memory_info().rss)
    return Cost(name, (sum(process.cpu_times()[:2]) - used) / (time.monotonic() - began), memory)


if __name__ == "__main__":
    said, promise_kept = measure(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
    print(*said, sep="\n")
    sys.exit(not promise_kept)
