"""Checks what hosts report against the rules, and opens and resolves alerts. The leader calls it each second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from wampflask.apps.db import now
from wampflask.apps.extensions import db
from wampflask.apps.monitor.intake.samples import checked
from wampflask.apps.monitor.metrics import METRICS
from wampflask.apps.monitor.models import Host
from wampflask.reading import reading

from . import notifications
from .models import Alert, AlertRule, AlertState, Metric

CLEAR = 30
"""Seconds, at most, that a value must be fine again before its alert is resolved: a flapping value alerts once."""

_UNITS = {"ratio": "%", "celsius": " °C"}


def first_rules() -> list[AlertRule]:
    """Return the rules of a new installation: their alerts are shown on the pages, and sent nowhere yet."""
    return [
        AlertRule(name="Offline for a minute", metric=Metric.OFFLINE, seconds=60),
        AlertRule(name="A disk is nearly full", metric=Metric.DISK, threshold=90, seconds=300),
    ]


@dataclass(frozen=True, slots=True)
class Scoped:
    """One host as rules see it."""

    id: int
    host: str
    title: str
    labels: frozenset[str]
    online: bool
    offline_for: float


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, read once a round. Without ``hosts`` it is for all, or for those with one of ``labels``."""

    id: int
    name: str
    metric: Metric
    threshold: float
    seconds: int
    hosts: frozenset[int]
    labels: frozenset[str]

    def covers(self, host: Scoped) -> bool:
        """Return whether the rule is for this host."""
        if not self.hosts and not self.labels:
            return True
        return host.id in self.hosts or bool(self.labels & host.labels)


class Evaluation:
    """Remembers for how long values have been good or bad. For one thread.

    :param clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bad_since: dict[str, float] = {}
        self._good_since: dict[str, float] = {}

    def round(self, samples: Mapping[str, Mapping[str, Any]]) -> None:
        """Open and resolve what is due, in a transaction of its own."""
        session = db.session()
        with reading():
            rules = load_rules(session)
            open_keys = set(session.scalars(select(Alert.open_key).where(Alert.open_key.is_not(None))))
            hosts = load_hosts(session) if rules or open_keys else []
        session.rollback()
        if not rules and not open_keys:
            return
        opened, kept = self._judge(rules, hosts, _checked(samples), open_keys)
        resolved = {str(key) for key in open_keys} - kept
        if opened or resolved:
            write(session, opened, resolved)

    def _judge(
        self, rules: list[Rule], hosts: list[Scoped], samples: Mapping[str, Mapping[str, Any]], open_keys: set[Any]
    ) -> tuple[list[tuple[Rule, Scoped, float | None]], set[str]]:
        """Return what is to be opened, and the keys of what stays open."""
        opened, kept, seen = [], set(), set()
        clock = self._clock()
        for rule in rules:
            for host in filter(rule.covers, hosts):
                key = f"{rule.id}:{host.id}"
                seen.add(key)
                is_bad, value, lasted = self._look(rule, host, samples.get(host.host), key, clock)
                if is_bad is None or (is_bad and key in open_keys):
                    kept.add(key)
                elif is_bad and lasted >= rule.seconds:
                    opened.append((rule, host, value))
                elif not is_bad and key in open_keys and lasted < min(rule.seconds, CLEAR):
                    kept.add(key)
        for since in (self._bad_since, self._good_since):
            for key in since.keys() - seen:
                del since[key]
        return opened, kept

    def _look(
        self, rule: Rule, host: Scoped, sample: Mapping[str, Any] | None, key: str, clock: float
    ) -> tuple[bool | None, float | None, float]:
        """Return whether it is bad (None: unknown), the value, and for how many seconds that has been so."""
        if rule.metric is Metric.OFFLINE:
            is_bad: bool | None = not host.online
            value = None
        else:
            value = value_of(rule.metric, sample) if sample and host.online else None
            is_bad = None if value is None else value > rule.threshold
        if is_bad is None:
            self._bad_since.pop(key, None)
            return None, None, 0.0
        now_so, before = (self._bad_since, self._good_since) if is_bad else (self._good_since, self._bad_since)
        before.pop(key, None)
        lasted = clock - now_so.setdefault(key, clock)
        if is_bad and rule.metric is Metric.OFFLINE:
            lasted = max(lasted, host.offline_for)
        return is_bad, value, lasted


def _checked(samples: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the reports that can be read: they are untrusted."""
    found: dict[str, Mapping[str, Any]] = {}
    for host, sample in samples.items():
        with suppress(Exception):  # a boundary: one host's report must not stop another's alerts
            found[host] = checked(sample)
    return found


def value_of(metric: Metric, sample: Mapping[str, Any]) -> float | None:
    """Return a sample's value in a rule's unit: percent, load, degrees."""
    declared = METRICS[metric.value]
    value = declared.worst(sample)
    return round(value * 100, 1) if value is not None and declared.unit == "ratio" else value


def load_rules(session: Session) -> list[Rule]:
    """Return the rules that are on."""
    query = select(AlertRule).where(AlertRule.enabled).options(selectinload(AlertRule.hosts).load_only(Host.id))
    return [
        Rule(
            rule.id, rule.name, rule.metric, rule.threshold, rule.seconds,
            frozenset(host.id for host in rule.hosts), frozenset(filter(None, rule.labels.split(", "))),
        )
        for rule in session.scalars(query)
    ]  # fmt: skip


def load_hosts(session: Session) -> list[Scoped]:
    """Return the hosts that rules can be about: neither paused ones nor those that never reported."""
    query = select(
        Host.id, Host.host, Host.name, Host.reported_name, Host.labels, Host.online, Host.since, Host.last_seen
    ).where(Host.disabled.is_(False), Host.last_seen.is_not(None))
    moment = datetime.now(UTC)
    return [
        Scoped(
            row.id, row.host, row.name or row.reported_name or row.host[:8],
            frozenset(row.labels.split(", ")) if row.labels else frozenset(),
            row.online, 0.0 if row.online else (moment - row.since).total_seconds(),
        )
        for row in session.execute(query)
    ]  # fmt: skip


def describe(rule: Rule, host: Scoped, value: float | None) -> str:
    """Return an alert in one line."""
    if rule.metric is Metric.OFFLINE:
        return f"{host.title} is offline"
    metric = METRICS[rule.metric.value]
    unit = _UNITS.get(metric.unit, "")
    return f"{host.title}: {metric.noun} is {value:g}{unit}, above {rule.threshold:g}{unit}"[:300]


def write(session: Session, opened: list[tuple[Rule, Scoped, float | None]], resolved: Iterable[str]) -> None:
    """Store what was opened and resolved, with the notifications to be sent."""
    changed = []
    for rule, host, value in opened:
        alert = Alert(
            host_id=host.id,
            rule_id=rule.id,
            open_key=f"{rule.id}:{host.id}",
            text=describe(rule, host, value),
            value=value,
        )
        session.add(alert)
        changed.append(alert)
    for alert in session.scalars(select(Alert).where(Alert.open_key.in_(list(resolved)))):
        alert.state, alert.open_key, alert.resolved_at = AlertState.RESOLVED, None, now()
        changed.append(alert)
    session.flush()
    for alert in changed:
        notifications.prepare(session, alert)
    session.commit()


def acknowledge(alert: Alert, who: str) -> None:
    """Store that ``who`` is taking care of an alert."""
    if alert.state is AlertState.OPEN:
        alert.state, alert.acknowledged_at, alert.acknowledged_by = AlertState.ACKNOWLEDGED, now(), who
