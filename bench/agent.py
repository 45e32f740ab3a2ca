"""What the agent costs its host at one report a second, with TLS and without, beside Glances' at one screen a second.

Each as its own process on this machine, in turn, warmed up; CPU of one core by the kernel's counters, memory as the
largest resident size seen. ``python -m bench.agent 180`` measures for three minutes each.
Glances stands in an environment of its own, ``build/glances``, made when missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from rig.agent import AgentProcess
from rig.delivery import MissingDeliveryError
from rig.front import Front, make_certificate
from rig.hub import Hub
from wampflask.apps.monitor import contract
from wampflask.testing import RouterNode

WARM_UP = 8.0
SECONDS = 30.0
MAX_CPU = 0.005
MAX_MEMORY = 38e6  # bytes
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
    plain, secure = _agent_cost(seconds, tls=False), _agent_cost(seconds, tls=True)
    kept = [cost.cpu <= MAX_CPU and cost.memory <= MAX_MEMORY for cost in (plain, secure)]
    with _glances() as glances:
        other = _cost("Glances, --stdout, 1 screen a second", glances.pid, seconds)
    promise = f"(promised {MAX_CPU:.1%} and {MAX_MEMORY / 1e6:.0f} MB)"
    lines = [
        *(f"{cost}  {promise}  {'ok' if good else 'MISSED'}" for cost, good in zip((plain, secure), kept, strict=True)),
        str(other),
        f"Glances against the agent: {other.cpu / plain.cpu:.1f} times CPU, {other.memory / plain.memory:.2f} memory",
    ]
    return lines, all(kept)


def _agent_cost(seconds: float, *, tls: bool) -> Cost:
    with tempfile.TemporaryDirectory(prefix="wampflask-") as folder, _agent(Path(folder), tls=tls) as (pid, stored):
        before = stored()
        cost = _cost(f"agent, 1 report a second{', TLS' if tls else ''}", pid, seconds)
        if stored() - before < seconds - contract.DEFAULT_CONFIG["handover"] - 2:
            raise MissingDeliveryError(f"{stored() - before} reports were stored in {seconds:g} s")
    return cost


@contextmanager
def _agent(folder: Path, *, tls: bool) -> Iterator[tuple[int, Callable[[], int]]]:
    """The agent at work: its process, and how many of its reports the hub has stored."""
    with ExitStack() as stack:
        node = stack.enter_context(RouterNode(permissions=contract.PERMISSIONS))
        hub = stack.enter_context(Hub(node, frequency=1.0, handover=10.0))
        server, trusted = hub.address, dict[str, Any]()
        if tls:
            certificate = make_certificate(folder / "hub.pem")
            http, router = (stack.enter_context(closing(Front(port, certificate))) for port in (hub.port, node.port))
            server, hub.url = f"https://127.0.0.1:{http.port}", f"wss://127.0.0.1:{router.port}/ws"
            trusted = {"SSL_CERT_FILE": str(certificate)}
        arguments = ("--server", server, "--token", hub.token())
        running = stack.enter_context(AgentProcess(folder, *arguments, **trusted))
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
