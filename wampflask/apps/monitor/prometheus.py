"""``/metrics`` for Prometheus: hosts, and this worker's counters. For clients with the token, and for admins."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from wampflask.apps.access import is_admin
from wampflask.apps.extensions import db, limiter, wamp
from wampflask.apps.headers import mark_private

from .alerts.models import Alert
from .metrics import DISKS_MAX, METRICS
from .models import Host
from .service import list_hosts

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@limiter.exempt
def metrics() -> Response:
    """Answer 401 without ``Authorization: Bearer <WAMPFLASK_METRICS_TOKEN>``, unless an admin asks."""
    mark_private()
    if not _may_look():
        return Response(
            "Send the token of WAMPFLASK_METRICS_TOKEN: Authorization: Bearer <token>\n",
            401,
            {"WWW-Authenticate": "Bearer"},
        )
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
    up = GaugeMetricFamily("wampflask_host_up", "Whether the host's agent is connected and reports", labels=labels)
    seen = GaugeMetricFamily("wampflask_host_last_seen_seconds", "When the host last reported", labels=labels)
    lost = CounterMetricFamily(
        "wampflask_host_samples_dropped", "Samples that its agent lost in a long outage", labels=labels
    )
    families: dict[str, GaugeMetricFamily] = {}
    for host in hosts:
        who = [host.host, host.title]
        up.add_metric(who, float(host.online))
        lost.add_metric(who, float(host.dropped))
        if host.last_seen:
            seen.add_metric(who, host.last_seen.timestamp())
        if host.latest and host.online and not host.disabled:
            _add(families, who, host.latest)
    yield from (up, seen, lost, *families.values())


def _add(families: dict[str, GaugeMetricFamily], who: list[str], sample: Mapping[str, Any]) -> None:
    for metric in METRICS.values():
        for mount, value in list(metric.read(sample).items())[:DISKS_MAX]:
            labels, values = (["mount"], [*who, mount]) if mount else ([], who)
            name = f"wampflask_host_{metric.prometheus}"
            if name not in families:
                families[name] = GaugeMetricFamily(name, f"{metric.label}, newest", labels=["host", "name", *labels])
            families[name].add_metric(values, value)


def _own() -> Iterator[Metric]:
    """Yield the counters of the worker that answers; the label ``pid`` distinguishes workers."""
    status, process = wamp.status, [str(os.getpid())]
    ready = GaugeMetricFamily("wampflask_ready", "Whether this worker's session is ready", labels=["pid"])
    ready.add_metric(process, float(status.ready))
    yield ready
    for name, value in status.counters.items():
        counter = CounterMetricFamily(f"wampflask_{name}", f"{name} of this worker, see docs/limits.md", labels=["pid"])
        counter.add_metric(process, float(value))
        yield counter
