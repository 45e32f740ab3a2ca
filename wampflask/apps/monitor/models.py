"""Hosts: their settings, whether their agents have them, and whether they are online."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, String, Text, event, inspect
from sqlalchemy.orm import Mapped, mapped_column, validates

from wampflask.apps.db import Base, UTCDateTime, now
from wampflask.apps.errors import Invalid
from wampflask.apps.text import one_line

from .contract import DEFAULT_CONFIG, FREQUENCY, HANDOVER
from .metrics import SWITCHES

NAME_MAX = 120
LABELS_MAX = 20
LABEL_MAX = 40
NOTES_MAX = 4000
CONFIG_FIELDS = ("disabled", "frequency", "handover", *SWITCHES)


class Host(Base):
    """A monitored machine.

    ``host`` is the id that its agent keeps. ``config_version`` rises with each edit; ``applied_version`` is that of the
    settings its agent confirmed, ``refused_version`` that of those it refused, with ``refusal``. ``presence_version``
    rises with each change of ``online``, and ``since`` is when that was. For ``stored_seq`` see the contract.
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
        """The name that an admin gave it, or its hostname."""
        return self.name or self.reported_name or self.host[:8]

    @property
    def label_list(self) -> list[str]:
        """The labels, sorted."""
        return self.labels.split(", ") if self.labels else []

    @validates("frequency", "handover")
    def _check_seconds(self, key: str, value: float | None) -> float:
        low, high = FREQUENCY if key == "frequency" else HANDOVER
        if value is None or not low <= value <= high:
            raise Invalid(f"{key} must be between {low:g} and {high:g} seconds, not {value}.")
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
    """Return labels as they are stored: lower case, each once, sorted, joined by ``", "``.

    :raises Invalid: too many, or too long.
    """
    found = sorted({one_line(part, NAME_MAX).lower() for part in re.split(r"[,;\n]", value or "")} - {""})
    if len(found) > LABELS_MAX:
        raise Invalid(f"A host can have up to {LABELS_MAX} labels, not {len(found)}.")
    if any(len(label) > LABEL_MAX for label in found):
        raise Invalid(f"A label can have up to {LABEL_MAX} characters.")
    return ", ".join(found)
