"""What pages show of hosts at first and after each reconnect, as plain data."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from . import history, service
from .models import Host


def overview(session: Session) -> list[dict[str, Any]]:
    """A card for each host, with its last minutes."""
    hosts = service.list_hosts(session)
    sparks = history.sparks(session, [host.id for host in hosts])
    return [{**card(host), "spark": sparks.get(host.id, [])} for host in hosts]


def card(host: Host) -> dict[str, Any]:
    """One host: ``host title ip system agent labels config presence latest``.

    ``config`` is contract.ShownConfig, ``presence`` contract.Presence, ``latest`` the newest stored sample or None.
    """
    config = service.shown_config(host)
    return {
        "host": host.host,
        "title": host.title,
        "ip": host.ip,
        "system": host.system,
        "agent": host.agent_version,
        "labels": host.label_list,
        "config": config,
        "presence": service.presence_of(host),
        "latest": _allowed(host.latest, config),
    }


def _allowed(sample: dict[str, Any] | None, config: Any) -> dict[str, Any] | None:
    """What is switched off is not shown, also when it was measured before."""
    if sample is None:
        return None
    hidden = {name for switch, names in GROUPS.items() if not config[switch] for name in names}
    return {name: value for name, value in sample.items() if name not in hidden}


GROUPS = {
    "show_cpus": ("cpu", "cpus", "load"),
    "show_memory": ("memory", "swap"),
    "show_disk": ("disks", "disk_io"),
    "show_network": ("network",),
    "show_temperatures": ("temperatures",),
    "show_system": ("uptime", "processes"),
}
