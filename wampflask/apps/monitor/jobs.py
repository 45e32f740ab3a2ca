"""What happens by the clock, in one worker of all: notifications are sent, old history and alerts are deleted."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from wampflask.apps.extensions import db, wamp
from wampflask.reading import reading

from .alerts import notifications
from .intake import history
from .models import Host

AT_ONCE = 50
"""Hosts whose old history is deleted in one transaction."""


@wamp.cron(every=5, name="monitor.notifications")
def send_notifications() -> None:
    """Send what is due. A slow mail server delays nothing else."""
    notifications.send_due()


@wamp.cron(every=timedelta(minutes=1), name="monitor.history")
def thin_history() -> None:
    """Delete history that is too old, in short transactions."""
    with reading():
        ids = list(db.session.scalars(select(Host.id)))
    db.session.rollback()
    for first in range(0, len(ids), AT_ONCE):
        history.thin(db.session(), ids[first : first + AT_ONCE])
        db.session.commit()


@wamp.cron(every=timedelta(hours=1), name="monitor.alerts")
def forget_alerts() -> None:
    """Delete alerts that were resolved long ago."""
    notifications.forget_old(db.session())
    db.session.commit()
