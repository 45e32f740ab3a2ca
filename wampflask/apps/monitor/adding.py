"""Adding a host: the lines for the host's terminal, in the ways that people run programs."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from wampflask.apps.network import public_base

from .agent_file import requirements

UNIT = "/etc/systemd/system/wampflask-agent.service"


class Way(NamedTuple):
    """One way to run an agent. ``lines``: for a terminal, to be run as they are; ``note``: what else to know."""

    name: str
    title: str
    lines: tuple[str, ...]
    note: str


def ways(token: str) -> list[Way]:
    """Return the ways to add a host with a token, the simplest first. Every line has the same address of this hub."""
    base = public_base()
    hub, packages = shlex.quote(base), " ".join(f'"{name}"' for name in requirements())
    given = " ".join(f'--with "{name}"' for name in requirements())
    fetch = f"curl -fsSO {shlex.quote(f'{base}/agent.py')}"
    here = ("mkdir -p wampflask-agent && cd wampflask-agent", "python3 -m venv venv")
    return [
        Way(
            "terminal",
            "In a terminal",
            (
                *here,
                f"venv/bin/pip install {packages}",
                fetch,
                f"venv/bin/python agent.py --server {hub} --token {token}",
            ),
            "It runs until you press Ctrl-C. With --check at its end, the last line says what is wrong.",
        ),
        Way(
            "systemd",
            "As a service that starts with the host (systemd)",
            (
                "sudo mkdir -p /opt/wampflask-agent && cd /opt/wampflask-agent",
                "sudo python3 -m venv venv",
                f"sudo venv/bin/pip install {packages}",
                f"sudo {fetch}",
                f"echo WAMPFLASK_AGENT_TOKEN={token} | sudo install -m 600 /dev/stdin /etc/wampflask-agent.env",
                f"venv/bin/python agent.py --server {hub} --systemd | sudo tee {UNIT}",
                "sudo systemctl enable --now wampflask-agent",
            ),
            "journalctl -u wampflask-agent shows what it says.",
        ),
        Way(
            "container",
            "In a container (Docker Compose)",
            (
                *here,
                f"venv/bin/pip install {packages}",
                fetch,
                f"venv/bin/python agent.py --server {hub} --container > compose.yaml",
                f"WAMPFLASK_AGENT_TOKEN={token} docker compose up -d",
            ),
            "The container sees the host's processes, network and file systems, and can change nothing.",
        ),
        Way(
            "uv",
            "With uv",
            (fetch, f"uv run --no-project {given} agent.py --server {hub} --token {token}"),
            "uv installs the packages, and Python where there is none.",
        ),
    ]
