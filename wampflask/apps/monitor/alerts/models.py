"""Alert rules, alerts, where they are sent, and what was sent."""

from __future__ import annotations

import math
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, ForeignKey, String, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from wampflask.apps.db import Base, UTCDateTime, now, text_enum
from wampflask.apps.errors import Invalid
from wampflask.apps.monitor.metrics import METRICS
from wampflask.apps.monitor.models import LABEL_MAX, LABELS_MAX, NAME_MAX, Host, normal_labels
from wampflask.apps.text import required_line

LASTS_MAX = 86_400
"""Seconds after which a rule alerts, at most."""


class Metric(StrEnum):
    """What a rule can be about: whether a host is offline, or a metric of ``metrics.METRICS``."""

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
        return "Offline" if self is Metric.OFFLINE else METRICS[self.value].label


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
    """When to open an alert: a metric is above ``threshold`` (ratios: percent) or a host is offline, for ``seconds``.

    A rule without hosts and labels is for every host; one with labels is for hosts that have one of them.
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
            raise Invalid("The threshold must be a number.")
        return float(value)

    @validates("seconds")
    def _check_duration(self, _key: str, value: int | None) -> int:
        if value is None or not 0 <= value <= LASTS_MAX:
            raise Invalid(f"A rule can wait up to {LASTS_MAX} seconds.")
        return value


class Alert(Base):
    """A problem of a host, present or past."""

    __tablename__ = "alert"

    id: Mapped[int] = mapped_column(primary_key=True)
    host_id: Mapped[int] = mapped_column(ForeignKey("host.id", ondelete="CASCADE"), index=True)
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("alert_rule.id", ondelete="SET NULL"))
    open_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    """``<rule>:<host>`` until it is resolved, so that there is one at a time."""
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
    """Where notifications are sent: an address of apprise (``mailto://``, ``json://``, ``slack://`` …).

    Nothing is sent in the quiet hours; alerts that are still open at their end are sent then.
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
    """The state of a notification. One that stays ``sending`` was interrupted, and is not repeated."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


class Notice(Base):
    """One notification of one alert to one channel; the database makes sure that there is one."""

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
