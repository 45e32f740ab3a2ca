"""Hosts as pages show them, and whether they are online. Knows neither Flask nor WAMP."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session, defer

from wampflask.apps.db import now
from wampflask.apps.errors import NotFound

from . import contract
from .metrics import SWITCHES
from .models import Host


def get_host(session: Session, host: str) -> Host:
    """Return the host with the id that its agent keeps.

    :raises NotFound: there is none.
    """
    found = session.scalar(select(Host).where(Host.host == host))
    if found is None:
        raise NotFound("There is no such host.")
    return found


def find_hosts(session: Session, hosts: Collection[str] | None = None) -> list[Host]:
    """Return those of ``hosts`` that exist, or all, without their newest samples; in no order."""
    query = select(Host).options(defer(Host.latest))
    return list(session.scalars(query if hosts is None else query.where(Host.host.in_(hosts))))


def list_hosts(session: Session, hosts: Collection[str] | None = None) -> list[Host]:
    """Return all hosts, or those of ``hosts`` that exist, by name."""
    query = select(Host) if hosts is None else select(Host).where(Host.host.in_(hosts))
    return sorted(session.scalars(query), key=lambda host: (host.title.casefold(), host.host))


def shown_host(host: Host) -> contract.ShownHost:
    """Return what dashboards show of a host."""
    switches = {switch: getattr(host, switch) for switch in SWITCHES}
    return cast(
        contract.ShownHost,
        {
            "host": host.host,
            "title": host.title,
            "ip": host.ip,
            "labels": host.label_list,
            "version": host.config_version,
            "disabled": host.disabled,
            **switches,
            "online": host.online,
            "last_seen": _seen(host),
        },
    )


def presence_of(host: Host) -> contract.Presence:
    """Return a host's presence as pages show it."""
    return contract.Presence(
        host=host.host,
        online=host.online,
        last_seen=_seen(host),
        since=host.since.timestamp(),
        version=host.presence_version,
    )


def _seen(host: Host) -> float | None:
    return host.last_seen.timestamp() if host.last_seen else None


def set_presence(session: Session, states: dict[str, bool], moment: datetime | None = None) -> None:
    """Store who is online."""
    moment = moment or now()
    for host in session.scalars(select(Host).where(Host.host.in_(states)).with_for_update()):
        if host.online is not states[host.host]:
            host.online = states[host.host]
            host.since = moment
            host.presence_version += 1
    session.flush()


def set_seen(session: Session, moments: dict[str, float]) -> None:
    """Store when hosts reported last, in seconds since the epoch."""
    for host, moment in moments.items():
        session.execute(
            update(Host)
            .where(Host.host == host)
            .values(last_seen=datetime.fromtimestamp(moment, UTC))
            .execution_options(synchronize_session=False)
        )
