"""Messages about alerts, through apprise: mail, webhooks, chat services. Each is sent once.

A message is a row before it leaves. The sender takes it (``sending``) before it tries, so that no second one tries at
the same time; a known failure is tried again, what was interrupted in between is not: it may have arrived.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask, current_app
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from wampflask.apps.db import now
from wampflask.apps.errors import Invalid
from wampflask.apps.extensions import db
from wampflask.apps.network import public_link
from wampflask.reading import reading

from .models import Alert, AlertState, Channel, Notice, NoticeState

RETRIES = (30, 120, 600)
"""Seconds until a message that failed is tried again."""
KEPT = timedelta(days=90)
"""How long resolved alerts are kept, with their messages."""

_NOWHERE = logging.NullHandler()
_sending = threading.Lock()


def parse_time(text: str) -> time | None:
    """``22:00``; None for an empty text. :raises Invalid: anything else."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day
    except ValueError:
        raise Invalid(f"{text} is not a time of day such as 22:00.") from None


def quiet_until(channel: Channel, moment: datetime) -> datetime | None:
    """The end of the quiet hours that ``moment`` is in; None when it is in none."""
    start, end = parse_time(channel.quiet_from), parse_time(channel.quiet_to)
    if start is None or end is None or start == end:
        return None
    local = moment.astimezone(zone(channel.time_zone))
    clock = local.time()
    is_quiet = start <= clock < end if start < end else clock >= start or clock < end
    if not is_quiet:
        return None
    day = local.date() if clock < end else local.date() + timedelta(days=1)
    return datetime.combine(day, end, local.tzinfo).astimezone(UTC)


def zone(name: str) -> ZoneInfo:
    """:raises Invalid: there is no such time zone."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid(f"{name} is not a time zone such as Europe/Paris.") from None


def prepare(session: Session, alert: Alert) -> None:
    """A message to each channel, about an alert that was opened or resolved."""
    is_resolved = alert.state is AlertState.RESOLVED
    for channel in session.scalars(select(Channel).where(Channel.enabled)):
        moment = now()
        session.add(
            Notice(
                once=f"{alert.id}:{channel.id}:{'resolved' if is_resolved else 'opened'}",
                alert_id=alert.id,
                channel_id=channel.id,
                resolved=is_resolved,
                due_at=quiet_until(channel, moment) or moment,
            )
        )
    session.flush()


def send_due() -> None:
    """Send what is due, in a thread of its own: a mail server may take its time."""
    with reading():
        waiting = db.session.scalar(_due().limit(1))
        db.session.rollback()
    if waiting is None or not _sending.acquire(blocking=False):
        return
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's way

    def work() -> None:
        try:
            with app.app_context():
                send_all()
        except Exception:  # a boundary: the next round tries again
            app.logger.exception("Messages about alerts could not be sent")
        finally:
            _sending.release()

    threading.Thread(target=work, name="notices", daemon=True).start()


def _due() -> Any:
    return select(Notice.id).where(Notice.state == NoticeState.WAITING, Notice.due_at <= now()).order_by(Notice.id)


def send_all() -> None:
    """Send everything that is due, one after another."""
    session = db.session()
    for number in session.scalars(_due().limit(100)).all():
        session.commit()
        if _take(session, number):
            _send(session, session.get_one(Notice, number))
    session.commit()


def _take(session: Session, number: int) -> bool:
    taking = (
        update(Notice)
        .where(Notice.id == number, Notice.state == NoticeState.WAITING)
        .values(state=NoticeState.SENDING, attempts=Notice.attempts + 1)
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    taken = session.scalar(taking)
    session.commit()
    return taken is not None


def _send(session: Session, notice: Notice) -> None:
    if _is_pointless(session, notice):
        notice.state = NoticeState.DROPPED
        session.commit()
        return
    address, message = notice.channel.address, words(notice)
    number, attempts = notice.id, notice.attempts
    session.commit()  # no transaction is open while a far server is asked
    error = deliver(address, message)
    notice = session.get_one(Notice, number)
    if not error:
        notice.state, notice.sent_at, notice.error = NoticeState.SENT, now(), ""
    else:
        notice.error = error[:300]
        is_last = attempts > len(RETRIES)
        notice.state = NoticeState.FAILED if is_last else NoticeState.WAITING
        if not is_last:
            notice.due_at = now() + timedelta(seconds=RETRIES[attempts - 1])
        current_app.logger.warning("Channel %s: a message was not sent: %s", notice.channel.name, error)
    session.commit()


def _is_pointless(session: Session, notice: Notice) -> bool:
    """What was over before anybody heard of it is not told."""
    if not notice.channel.enabled:
        return True
    if not notice.resolved:
        return notice.alert.state is AlertState.RESOLVED
    opened = f"{notice.alert_id}:{notice.channel_id}:opened"
    state = session.scalar(select(Notice.state).where(Notice.once == opened))
    return state in (NoticeState.DROPPED, NoticeState.FAILED, None)


class Message(NamedTuple):
    """What is sent. ``kind``: apprise's type, by which services choose a colour or an icon."""

    title: str
    body: str
    kind: Literal["info", "success", "failure"]


def words(notice: Notice) -> Message:
    """The message of a notice."""
    alert = notice.alert
    title = f"{'Resolved' if notice.resolved else 'Alert'}: {alert.text}"
    lines = [
        alert.text,
        f"Host: {alert.host.title} ({alert.host.ip or 'no address'})",
        f"Since: {alert.opened_at:%Y-%m-%d %H:%M:%S} UTC",
    ]
    if notice.resolved and alert.resolved_at:
        lines.append(f"Resolved: {alert.resolved_at:%Y-%m-%d %H:%M:%S} UTC")
    lines.append(public_link("monitor.host", host=alert.host.host))
    return Message(title, "\n".join(lines), "success" if notice.resolved else "failure")


def check_address(text: str | None) -> str:
    """A channel's address, if messages can be sent to it.

    :raises Invalid: apprise cannot read it. It is not repeated, because it may hold a password.
    """
    address = (text or "").strip()
    if _target(address) is None:
        raise Invalid(
            "Messages cannot be sent to this address. Write it as apprise does, one to a channel, for example "
            "json://host.example/path or mailto://user:password@mail.example?to=me@example.org."
        )
    return address


def send_test(channel: str, address: str) -> str:
    """Send a message that names the channel and says that it is a test; what went wrong, or ""."""
    body = f"This is a test of the channel {channel}. Alerts come the same way.\n{public_link('monitor.dashboard')}"
    return deliver(address, Message("Test message from wampflask", body, "info"))


def deliver(address: str, message: Message) -> str:
    """Send one message; what went wrong, or ""."""
    target = _target(address)
    if target is None:
        return "apprise cannot read this address"
    result = target.notify(title=message.title, body=message.body, notify_type=message.kind, body_format="text")
    with closing(result):
        complaints = [entry.message for entry in result.logs()]  # without the address's secrets, unlike its debug log
        return "" if result else next(iter(complaints), "The service did not take the message.")


def _target(address: str) -> Any:
    """Where apprise would send to; None when it cannot read the address."""
    import apprise  # a quarter of a second, and only where alerts are sent

    log = logging.getLogger("apprise")
    log.setLevel(logging.WARNING)
    log.propagate = False  # it logs addresses that it cannot read, with their passwords
    log.addHandler(_NOWHERE)
    target = apprise.Apprise()
    is_read = target.add(address) and len(target) == 1
    return target if is_read else None


def forget_old() -> None:
    """Delete alerts that were resolved long ago."""
    db.session.execute(delete(Alert).where(Alert.resolved_at < now() - KEPT))
    db.session.commit()
