"""Hosts, what they may join with, what they measured, and who is told when something is wrong."""

from __future__ import annotations

import math
import re
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    event,
    inspect,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from wampflask.apps.db import Base, UTCDateTime, now, text_enum
from wampflask.apps.errors import Invalid
from wampflask.apps.text import one_line, required_line

from .contract import DEFAULT_CONFIG, FREQUENCY, HANDOVER

NAME_MAX = 120
LABELS_MAX = 20
LABEL_MAX = 40
NOTES_MAX = 4000
LASTS_MAX = 86_400
"""Seconds that a rule waits before it alarms, at most."""
SWITCHES = ("show_cpus", "show_memory", "show_disk", "show_network", "show_temperatures", "show_system")
CONFIG_FIELDS = ("disabled", "frequency", "handover", *SWITCHES)


class Host(Base):
    """A machine that is watched.

    ``host``: the id that its agent keeps.        ``config_version``: rises with each edit.
    ``applied_version``: of the configuration that its agent said to be in force;
    ``refused_version``: of the one it refused, with ``refusal``.       ``stored_seq``: see the contract.
    ``presence_version``: rises with each change of ``online``; ``since``: when that was.
    """

    __tablename__ = "host"

    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(String(32), unique=True)
    key_hash: Mapped[str] = mapped_column(String(64))
    revoked: Mapped[bool] = mapped_column(default=False)
    name: Mapped[str] = mapped_column(String(NAME_MAX), default="")
    reported_name: Mapped[str] = mapped_column(String(NAME_MAX), default="")
    ip: Mapped[str] = mapped_column(String(64), default="")
    system: Mapped[str] = mapped_column(String(NAME_MAX), default="")
    agent_version: Mapped[str] = mapped_column(String(40), default="")
    labels: Mapped[str] = mapped_column(String(LABELS_MAX * (LABEL_MAX + 2)), default="")
    notes: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)

    disabled: Mapped[bool] = mapped_column(default=DEFAULT_CONFIG["disabled"])
    frequency: Mapped[float] = mapped_column(default=DEFAULT_CONFIG["frequency"])
    handover: Mapped[float] = mapped_column(default=DEFAULT_CONFIG["handover"])
    show_cpus: Mapped[bool] = mapped_column(default=True)
    show_memory: Mapped[bool] = mapped_column(default=True)
    show_disk: Mapped[bool] = mapped_column(default=True)
    show_network: Mapped[bool] = mapped_column(default=True)
    show_temperatures: Mapped[bool] = mapped_column(default=True)
    show_system: Mapped[bool] = mapped_column(default=True)

    config_version: Mapped[int] = mapped_column(default=1)
    applied_version: Mapped[int] = mapped_column(default=0)
    applied_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    refused_version: Mapped[int] = mapped_column(default=0)
    refusal: Mapped[str] = mapped_column(String(300), default="")

    online: Mapped[bool] = mapped_column(default=False)
    since: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    last_seen: Mapped[datetime | None] = mapped_column(UTCDateTime)
    presence_version: Mapped[int] = mapped_column(default=1)
    stored_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    dropped: Mapped[int] = mapped_column(BigInteger, default=0)
    latest: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """The name that an admin gave, or the machine's own."""
        return self.name or self.reported_name or self.host[:8]

    @property
    def label_list(self) -> list[str]:
        """The labels, sorted."""
        return self.labels.split(", ") if self.labels else []

    @validates("frequency", "handover")
    def _check_seconds(self, key: str, value: float | None) -> float:
        low, high = FREQUENCY if key == "frequency" else HANDOVER
        if value is None or not low <= value <= high:
            raise Invalid(f"{key} must be {low:g} to {high:g} seconds, not {value}.")
        return float(value)

    @validates("name")
    def _check_name(self, _key: str, value: str | None) -> str:
        return one_line(value, NAME_MAX)

    @validates("notes")
    def _check_notes(self, _key: str, value: str | None) -> str:
        text = (value or "").replace("\r\n", "\n")  # browsers send the first
        if len(text) > NOTES_MAX:
            raise Invalid(f"Notes are too long: at most {NOTES_MAX} characters.")
        return text

    @validates("labels")
    def _check_labels(self, _key: str, value: str | None) -> str:
        return normal_labels(value)


@event.listens_for(Host, "before_update")
def _raise_version(_mapper: Any, _connection: Any, host: Host) -> None:
    attributes = inspect(host).attrs
    if any(attributes[name].history.has_changes() for name in (*CONFIG_FIELDS, "name", "labels")):
        host.config_version += 1


def normal_labels(value: str | None) -> str:
    """Labels as they are kept: lower case, each once, sorted, joined by ``", "``.

    :raises Invalid: too many, or too long.
    """
    found = sorted({one_line(part, NAME_MAX).lower() for part in re.split(r"[,;\n]", value or "")} - {""})
    if len(found) > LABELS_MAX:
        raise Invalid(f"A host has at most {LABELS_MAX} labels, not {len(found)}.")
    if any(len(label) > LABEL_MAX for label in found):
        raise Invalid(f"A label has at most {LABEL_MAX} characters.")
    return ", ".join(found)


class EnrolToken(Base):
    """With this a new host may join. Only its hash is kept: it is shown once, when it is made."""

    __tablename__ = "enrol_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(String(NAME_MAX), default="")
    reusable: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked: Mapped[bool] = mapped_column(default=False)
    uses: Mapped[int] = mapped_column(default=0)

    def __str__(self) -> str:
        return f"{self.hint}… {self.note}".strip()


class Reading(Base):
    """One sample: ``data`` has the series' values by name. Kept for an hour."""

    __tablename__ = "reading"
    __table_args__ = ({"sqlite_with_rowid": False},)

    host_id: Mapped[int] = mapped_column(ForeignKey("host.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Milliseconds since the epoch."""
    data: Mapped[dict[str, float]] = mapped_column(JSON)


class Rollup(Base):
    """What was measured in ``span`` seconds from ``start`` on: by series, ``[count, sum, min, max]``."""

    __tablename__ = "rollup"
    __table_args__ = ({"sqlite_with_rowid": False},)

    host_id: Mapped[int] = mapped_column(ForeignKey("host.id", ondelete="CASCADE"), primary_key=True)
    span: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[dict[str, list[float]]] = mapped_column(JSON)


class Metric(StrEnum):
    """What a rule can look at."""

    OFFLINE = "offline"
    CPU = "cpu"
    LOAD = "load"
    MEMORY = "memory"
    SWAP = "swap"
    DISK = "disk"
    TEMPERATURE = "temperature"

    @property
    def label(self) -> str:
        """For people."""
        return "CPU" if self is Metric.CPU else self.value.capitalize()


class AlertState(StrEnum):
    """The course of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


rule_hosts = Table(
    "alert_rule_host",
    Base.metadata,
    Column("rule_id", ForeignKey("alert_rule.id", ondelete="CASCADE"), primary_key=True),
    Column("host_id", ForeignKey("host.id", ondelete="CASCADE"), primary_key=True),
)


class AlertRule(Base):
    """When to raise an alert: a metric is above ``threshold`` (ratios: percent) or a host is offline, for ``seconds``.

    Without hosts and labels it is for every host; with labels, for hosts that have one of them.
    """

    __tablename__ = "alert_rule"
    __table_args__ = (CheckConstraint("seconds >= 0 AND seconds <= 86400", name="seconds"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX))
    metric: Mapped[Metric] = mapped_column(text_enum(Metric))
    threshold: Mapped[float] = mapped_column(default=90.0)
    seconds: Mapped[int] = mapped_column(default=60)
    labels: Mapped[str] = mapped_column(String(LABELS_MAX * (LABEL_MAX + 2)), default="")
    enabled: Mapped[bool] = mapped_column(default=True)

    hosts: Mapped[list[Host]] = relationship(secondary=rule_hosts)

    def __str__(self) -> str:
        return self.name

    @validates("name")
    def _check_name(self, _key: str, value: str | None) -> str:
        return required_line(value, "A rule's name", NAME_MAX)

    @validates("labels")
    def _check_labels(self, _key: str, value: str | None) -> str:
        return normal_labels(value)

    @validates("threshold")
    def _check_threshold(self, _key: str, value: float | None) -> float:
        if value is None or not math.isfinite(value):
            raise Invalid("A rule's threshold must be a number.")
        return float(value)

    @validates("seconds")
    def _check_duration(self, _key: str, value: int | None) -> int:
        if value is None or not 0 <= value <= LASTS_MAX:
            raise Invalid(f"A rule waits for 0 to {LASTS_MAX} seconds.")
        return value


class Alert(Base):
    """Something is, or was, wrong with a host."""

    __tablename__ = "alert"

    id: Mapped[int] = mapped_column(primary_key=True)
    host_id: Mapped[int] = mapped_column(ForeignKey("host.id", ondelete="CASCADE"), index=True)
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("alert_rule.id", ondelete="SET NULL"))
    open_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    """``<rule>:<host>`` until it is resolved: so there is one at a time."""
    state: Mapped[AlertState] = mapped_column(text_enum(AlertState), default=AlertState.OPEN)
    text: Mapped[str] = mapped_column(String(300))
    value: Mapped[float | None]
    opened_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    acknowledged_by: Mapped[str] = mapped_column(String(255), default="")
    resolved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    host: Mapped[Host] = relationship()
    rule: Mapped[AlertRule | None] = relationship()

    def __str__(self) -> str:
        return self.text


class Channel(Base):
    """Where alerts are sent: an address as apprise writes them (``mailto://``, ``json://``, ``slack://`` …).

    In the quiet hours nothing is sent; what is still wrong at their end is sent then.
    """

    __tablename__ = "alert_channel"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX))
    address: Mapped[str] = mapped_column("url", String(1000))
    enabled: Mapped[bool] = mapped_column(default=True)
    quiet_from: Mapped[str] = mapped_column(String(5), default="")
    quiet_to: Mapped[str] = mapped_column(String(5), default="")
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")

    def __str__(self) -> str:
        return self.name


class NoticeState(StrEnum):
    """Of one message to one channel. A ``sending`` that lasts was interrupted; it is not repeated."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


class Notice(Base):
    """One message about one alert to one channel: once, which the database sees to."""

    __tablename__ = "alert_notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    once: Mapped[str] = mapped_column(String(64), unique=True)
    """``<alert>:<channel>:<opened|resolved>``."""
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id", ondelete="CASCADE"), index=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("alert_channel.id", ondelete="CASCADE"))
    resolved: Mapped[bool] = mapped_column(default=False)
    state: Mapped[NoticeState] = mapped_column(text_enum(NoticeState), default=NoticeState.WAITING, index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    error: Mapped[str] = mapped_column(String(300), default="")

    alert: Mapped[Alert] = relationship()
    channel: Mapped[Channel] = relationship()

    def __str__(self) -> str:
        return self.once
