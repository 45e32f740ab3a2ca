"""The live things of hosts and alerts: read after each commit that changed one, however it was edited."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from wampflask.apps.extensions import db, wamp

from . import contract, service
from .alerts.models import Alert
from .models import Host
from .settings.service import shown_config

OPEN_SHOWN = 200
"""Alerts on the dashboard, at most."""
SHOWN = 20
"""Alerts on a host's page, at most."""


def _host_of(host: Host) -> dict[str, str]:
    return {"host": host.host}


@wamp.rows(contract.HOSTS, key="host", allow=contract.WATCHERS, of=Host)
def hosts(keys: list[str] | None) -> list[contract.ShownHost]:
    """Return hosts, all of them in one query."""
    return [service.shown_host(host) for host in service.find_hosts(db.session(), keys)]


@wamp.value(contract.CLIENTCONFIG, allow=contract.WATCHERS, of={Host: _host_of})
def clientconfig(host: str) -> contract.ShownConfig | contract.Removed:
    """Return a host's settings, and whether its agent has applied them."""
    found = service.find_hosts(db.session(), [host])
    return shown_config(found[0]) if found else contract.Removed(host=host, removed=True)


@wamp.value(contract.PRESENCE, allow=contract.WATCHERS, of={Host: _host_of})
def presence(host: str) -> contract.Presence | None:
    """Return whether a host is online."""
    found = service.find_hosts(db.session(), [host])
    return service.presence_of(found[0]) if found else None


def settings_changed(changed: Iterable[str]) -> None:
    """Announce hosts whose settings were changed by plain statements, which are not noticed by themselves."""
    for host in changed:
        hosts.changed(host)
        clientconfig.changed(host=host)


@wamp.fragment("monitor/_alert.html", row="alert", per="role", allow=contract.WATCHERS, of=Alert)
def open_alerts() -> list[Alert]:
    """Return the alerts that are not resolved, newest first."""
    query = select(Alert).where(Alert.open_key.is_not(None)).order_by(Alert.id.desc())
    return list(db.session.scalars(query.limit(OPEN_SHOWN)))


@wamp.fragment(
    "monitor/_alert.html",
    row="alert",
    per="role",
    allow=contract.WATCHERS,
    of={Alert: lambda alert: {"number": alert.host_id}},
)
def alerts_of(number: int) -> list[Alert]:
    """Return the alerts of the host with this number, newest first."""
    query = select(Alert).where(Alert.host_id == number).order_by(Alert.id.desc())
    return list(db.session.scalars(query.limit(SHOWN)))
