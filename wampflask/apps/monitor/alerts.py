"""Alerts: rules held against what hosts report, each second, by the watchman."""

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
from wampflask.apps.extensions import db, wamp
from wampflask.reading import reading

from . import contract, notify
from .models import Alert, AlertRule, AlertState, Host, Metric
from .samples import checked

CLEAR = 30
"""Seconds, at most, that a value must be fine again before its alert is resolved: what flaps does not alarm again."""

_TITLES = {
    Metric.CPU: "CPU", Metric.LOAD: "load", Metric.MEMORY: "memory", Metric.SWAP: "swap", Metric.DISK: "disk",
    Metric.TEMPERATURE: "temperature",
}  # fmt: skip
_PERCENT = (Metric.CPU, Metric.MEMORY, Metric.SWAP, Metric.DISK)


def first_rules() -> list[AlertRule]:
    """What a new installation looks after, until its admin decides otherwise: shown on the pages, sent nowhere yet."""
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
    """One rule, read once a round. ``hosts`` empty: all, or those with one of ``labels``."""

    id: int
    name: str
    metric: Metric
    threshold: float
    seconds: int
    hosts: frozenset[int]
    labels: frozenset[str]

    def covers(self, host: Scoped) -> bool:
        """Whether the rule is for this host."""
        if not self.hosts and not self.labels:
            return True
        return host.id in self.hosts or bool(self.labels & host.labels)


class Evaluation:
    """Remembers since when values are as they are. For one thread.

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
        """What is to be opened, and the keys of what stays open."""
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
        """Bad, good or unknown (None); the value; and for how many seconds so."""
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
    """Reports are untrusted: those that are none are left out."""
    found: dict[str, Mapping[str, Any]] = {}
    for host, sample in samples.items():
        with suppress(Exception):  # a boundary: what one host reports switches off no other's alarms
            found[host] = checked(sample)
    return found


def value_of(metric: Metric, sample: Mapping[str, Any]) -> float | None:
    """A sample's value in a rule's units: percent, load, degrees."""
    value: float | None = None
    if metric is Metric.CPU:
        value = sample.get("cpu")
    elif metric in (Metric.MEMORY, Metric.SWAP):
        value = sample.get(metric.value, {}).get("ratio")
    elif metric is Metric.DISK:
        value = max((disk["ratio"] for disk in sample.get("disks", {}).values()), default=None)
    elif metric is Metric.LOAD:
        value = (sample.get("load") or [None])[0]
    elif metric is Metric.TEMPERATURE:
        value = max(sample.get("temperatures", {}).values(), default=None)
    return round(value * 100, 1) if value is not None and metric in _PERCENT else value


def load_rules(session: Session) -> list[Rule]:
    """The rules that are on."""
    query = select(AlertRule).where(AlertRule.enabled).options(selectinload(AlertRule.hosts).load_only(Host.id))
    return [
        Rule(
            rule.id, rule.name, rule.metric, rule.threshold, rule.seconds,
            frozenset(host.id for host in rule.hosts), frozenset(filter(None, rule.labels.split(", "))),
        )
        for rule in session.scalars(query)
    ]  # fmt: skip


def load_hosts(session: Session) -> list[Scoped]:
    """The hosts that rules can be about: not the disabled ones, nor those that never reported."""
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
    """An alert in one line."""
    if rule.metric is Metric.OFFLINE:
        return f"{host.title} is offline"
    unit = "%" if rule.metric in _PERCENT else " °C" if rule.metric is Metric.TEMPERATURE else ""
    return f"{host.title}: {_TITLES[rule.metric]} is {value:g}{unit}, above {rule.threshold:g}{unit}"[:300]


def write(session: Session, opened: list[tuple[Rule, Scoped, float | None]], resolved: Iterable[str]) -> None:
    """Keep, tell pages, and have messages sent."""
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
        notify.prepare(session, alert)
    tell(session, changed)
    session.commit()


def acknowledge(session: Session, alert: Alert, who: str) -> None:
    """Somebody has seen it, and takes care."""
    if alert.state is AlertState.OPEN:
        alert.state, alert.acknowledged_at, alert.acknowledged_by = AlertState.ACKNOWLEDGED, now(), who
        session.flush()
        tell(session, [alert])


def tell(session: Session, alerts: Iterable[Alert]) -> None:
    """Publish alerts when the transaction commits."""
    announce = wamp.after_commit(session)
    for alert in alerts:
        announce.publish_later(contract.on_agent(contract.ALERT, alert.host.host), shown(alert))


def shown(alert: Alert) -> contract.ShownAlert:
    """An alert for pages."""
    return contract.ShownAlert(
        id=alert.id,
        host=alert.host.host,
        title=alert.host.title,
        state=alert.state.value,
        text=alert.text,
        opened=alert.opened_at.timestamp(),
        resolved=alert.resolved_at.timestamp() if alert.resolved_at else None,
        acknowledged_by=alert.acknowledged_by,
    )


def current(session: Session) -> list[Alert]:
    """What is wrong now, the newest first."""
    query = select(Alert).where(Alert.open_key.is_not(None)).options(selectinload(Alert.host))
    return list(session.scalars(query.order_by(Alert.id.desc()).limit(200)))
