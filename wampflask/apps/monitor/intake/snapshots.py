"""What pages show of measurements at first and after each reconnect, as plain data."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from wampflask.apps.monitor.metrics import SWITCHES, visible
from wampflask.apps.monitor.models import Host
from wampflask.apps.monitor.service import list_hosts

from . import history


def samples(session: Session) -> dict[str, dict[str, Any]]:
    """Return by host ``latest``, the newest stored sample or None, and ``spark``, its last minutes."""
    hosts = list_hosts(session)
    sparks = history.sparks(session, [host.id for host in hosts])
    return {host.host: {"latest": latest(host), "spark": sparks.get(host.id, [])} for host in hosts}


def latest(host: Host) -> dict[str, Any] | None:
    """Return the newest stored sample, without what is switched off."""
    if host.latest is None:
        return None
    return visible(host.latest, {switch: getattr(host, switch) for switch in SWITCHES})
