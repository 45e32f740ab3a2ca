"""Hosts' settings, and whether their agents have applied them. Knows neither Flask nor WAMP."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import update
from sqlalchemy.orm import Session

from wampflask.apps import wire
from wampflask.apps.errors import Invalid
from wampflask.apps.monitor import contract
from wampflask.apps.monitor.models import CONFIG_FIELDS, Host
from wampflask.apps.text import one_line


def config_of(host: Host) -> contract.Config:
    """Return the configuration of a host's agent."""
    values = {field: getattr(host, field) for field in CONFIG_FIELDS}
    return cast(contract.Config, {"version": host.config_version, **values})


def application(host: Host) -> tuple[str, str]:
    """Return whether the agent has applied the settings, as ``ShownConfig.state`` and a text for people."""
    if host.refused_version == host.config_version:
        return "refused", f"Refused by the host: {host.refusal}"
    if host.applied_version >= host.config_version and host.applied_at is not None:
        return "applied", f"Applied {host.applied_at:%H:%M:%S} UTC"
    if host.online:
        return "applying", "Being sent to the host"
    return "offline", "Will be applied when the host connects"


def shown_config(host: Host) -> contract.ShownConfig:
    """Return a host's settings as pages show them."""
    state, text = application(host)
    about = {"host": host.host, "title": host.title, "labels": host.label_list, "state": state, "text": text}
    return cast(contract.ShownConfig, {**config_of(host), **about})


def edit_many(session: Session, hosts: Iterable[Host], values: dict[str, Any]) -> None:
    """Set fields of several hosts.

    :raises Invalid: a value that is not allowed; nothing may be committed then.
    """
    for host in hosts:
        for field, value in values.items():
            if getattr(host, field) != value:
                setattr(host, field, value)
    session.flush()


def record_answer(session: Session, host: str, answer: object) -> None:
    """Store what an agent answered to a configuration: :class:`contract.Configured`. Anything else is a refusal."""
    try:
        said = wire.fields(answer, "The answer")
        version = wire.whole(said.get("version"), "version")
    except Invalid:
        reason = "its answer could not be read"
    else:
        if said.get("accepted"):
            confirm_config(session, host, version)
            return
        reason = str(said.get("reason") or "it gave no reason")
    session.execute(
        update(Host)
        .where(Host.host == host)
        .values(refused_version=Host.config_version, refusal=one_line(reason, 300))
        .execution_options(synchronize_session=False)
    )


def confirm_config(session: Session, host: str, version: int) -> None:
    """Store that an agent has applied the configuration of this version."""
    session.execute(
        update(Host)
        .where(Host.host == host, Host.applied_version < version, Host.config_version >= version)
        .values(applied_version=version, applied_at=datetime.now(UTC), refusal="", refused_version=0)
        .execution_options(synchronize_session=False)
    )
