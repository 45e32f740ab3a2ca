"""``/metrics`` for Prometheus: hosts, and this worker's own counters. For who has the token, and for admins."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator

from flask import Blueprint, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from wampflask.apps.access import is_admin
from wampflask.apps.extensions import db, limiter, wamp
from wampflask.apps.headers import mark_private

from .models import Alert, Host
from .samples import series_of
from .service import list_hosts

blueprint = Blueprint("metrics", __name__)

UNITS = {"disk_io": "bytes_per_second", "network": "bytes_per_second"}
SINGLE = {
    "cpu": "cpu_ratio", "load": "load1", "memory": "memory_ratio", "swap": "swap_ratio",
    "temperature": "temperature_celsius_max", "processes": "processes",
}  # fmt: skip
"""Prometheus' names for series of one value."""


@blueprint.get("/metrics")
@limiter.exempt
def metrics() -> Response:
    """401 without the token (``WAMPFLASK_METRICS_TOKEN``, as ``Authorization: Bearer …``), unless an admin looks."""
    mark_private()
    if not _may_look():
        return Response("The token of WAMPFLASK_METRICS_TOKEN is needed.\n", 401, {"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry()
    registry.register(_Site())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_look() -> bool:
    token = str(current_app.extensions["site"].metrics_token)
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if token and kind.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode()):
        return True
    return is_admin()


class _Site(Collector):
    """Read when Prometheus asks."""

    def collect(self) -> Iterator[Metric]:
        yield from _hosts(list_hosts(db.session()))
        open_alerts = db.session.scalar(select(func.count(Alert.id)).where(Alert.open_key.is_not(None)))
        yield GaugeMetricFamily("wampflask_alerts_unresolved", "Alerts that are not resolved", value=open_alerts or 0)
        yield from _own()


def _hosts(hosts: Iterable[Host]) -> Iterator[Metric]:
    labels = ["host", "name"]
    up = GaugeMetricFamily("wampflask_host_up", "Whether the host's agent is there and reports", labels=labels)
    seen = GaugeMetricFamily("wampflask_host_last_seen_seconds", "When the host was heard last", labels=labels)
    lost = CounterMetricFamily(
        "wampflask_host_samples_dropped", "Samples its agent lost in a long outage", labels=labels
    )
    families: dict[str, GaugeMetricFamily] = {}
    for host in hosts:
        who = [host.host, host.title]
        up.add_metric(who, float(host.online))
        lost.add_metric(who, float(host.dropped))
        if host.last_seen:
            seen.add_metric(who, host.last_seen.timestamp())
        for name, value in series_of(host.latest or {}).items() if host.online and not host.disabled else ():
            _add(families, name, who, value)
    yield from (up, seen, lost, *families.values())


def _add(families: dict[str, GaugeMetricFamily], series: str, who: list[str], value: float) -> None:
    group, _, part = series.partition(":")
    labels, values = ["host", "name"], who
    if group == "disk":
        name, labels, values = "disk_ratio", [*labels, "mount"], [*who, part]
    elif part:
        name = f"{group}_{part}_{UNITS[group]}"
    else:
        name = SINGLE[group]
    full = f"wampflask_host_{name}"
    if full not in families:
        families[full] = GaugeMetricFamily(full, f"{series.partition(':')[0]} of the host, newest", labels=labels)
    families[full].add_metric(values, value)


def _own() -> Iterator[Metric]:
    """Of the worker that answers: its process number tells them apart."""
    status, process = wamp.status, [str(os.getpid())]
    ready = GaugeMetricFamily("wampflask_ready", "Whether this worker's session is ready", labels=["pid"])
    ready.add_metric(process, float(status.ready))
    yield ready
    for name, value in status.counters.items():
        counter = CounterMetricFamily(f"wampflask_{name}", f"{name} of this worker, see docs/limits.md", labels=["pid"])
        counter.add_metric(process, float(value))
        yield counter
