"""What dashboards show of measurements at first and after each reconnect, as plain data."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from . import history, service
from .models import SWITCHES, Host


def samples(session: Session) -> dict[str, dict[str, Any]]:
    """By host, ``latest``: the newest stored sample or None, and ``spark``: its last minutes."""
    hosts = service.list_hosts(session)
    sparks = history.sparks(session, [host.id for host in hosts])
    return {host.host: {"latest": latest(host), "spark": sparks.get(host.id, [])} for host in hosts}


def latest(host: Host) -> dict[str, Any] | None:
    """The newest stored sample. What is switched off is not shown, also when it was measured before."""
    if host.latest is None:
        return None
    hidden = {name for switch in SWITCHES if not getattr(host, switch) for name in GROUPS[switch]}
    return {name: value for name, value in host.latest.items() if name not in hidden}


GROUPS = {
    "show_cpus": ("cpu", "cpus", "load"),
    "show_memory": ("memory", "swap"),
    "show_disk": ("disks", "disk_io"),
    "show_network": ("network",),
    "show_temperatures": ("temperatures",),
    "show_system": ("uptime", "processes"),
}
