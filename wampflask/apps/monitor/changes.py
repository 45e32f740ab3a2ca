"""Whoever edits a host: its version rises, and open pages and its agent are told after the commit."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session, SessionTransaction

from .models import CONFIG_FIELDS, Host

_KEY = "monitor.changed"
_SHOWN = (*CONFIG_FIELDS, "name", "labels")


def take_changed(session: Session) -> set[str]:
    """The hosts edited in this transaction; each is told once."""
    session.flush()
    found: set[str] = session.info.pop(_KEY, set())
    return found


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, _context: Any, _instances: Any) -> None:
    for thing in session.dirty:
        if isinstance(thing, Host):
            attributes = inspect(thing).attrs
            if any(attributes[name].history.has_changes() for name in _SHOWN):
                thing.config_version += 1
                session.info.setdefault(_KEY, set()).add(thing.host)


@event.listens_for(Session, "after_soft_rollback")
def _after_rollback(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_KEY, None)
