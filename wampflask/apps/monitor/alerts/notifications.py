"""Notifications of alerts, through apprise: mail, webhooks, chat services. Each is sent once.

A notification is stored before it is sent. The sender marks it ``sending`` first, so that no second one sends it, too.
A known failure is retried; one that was interrupted is not, since it may have arrived.
"""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import current_app
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from wampflask import WampError
from wampflask.apps.chat import service as rooms
from wampflask.apps.chat.contract import SAY
from wampflask.apps.db import now
from wampflask.apps.errors import Invalid
from wampflask.apps.extensions import db, wamp
from wampflask.apps.network import public_link
from wampflask.reading import reading

from .models import Alert, AlertState, Channel, Notice, NoticeState

RETRIES = (30, 120, 600)
"""Seconds until a notification that failed is retried."""
KEPT = timedelta(days=90)
"""How long resolved alerts are kept, with their notifications."""

ROOM = "room://"
"""How the address of a channel begins that writes into a chat room of this site."""
ROOM_TEXT_MAX = 2000
"""Characters of a message there."""

_NOWHERE = logging.NullHandler()


def parse_time(text: str) -> time | None:
    """Return a time of day such as ``22:00``; None for an empty text.

    :raises Invalid: anything else.
    """
    if not text:
        return None
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day
    except ValueError:
        raise Invalid(f"“{text}” is not a time of day. Write it like 22:00.") from None


def quiet_until(channel: Channel, moment: datetime) -> datetime | None:
    """Return the end of the quiet hours that ``moment`` is in; None when it is in none."""
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
    """Return a time zone by its name.

    :raises Invalid: there is none.
    """
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid(f"“{name}” is not a time zone. Write it like Europe/Paris.") from None


def prepare(session: Session, alert: Alert) -> None:
    """Store a notification for each channel, of an alert that was opened or resolved."""
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


def _due() -> Any:
    return select(Notice.id).where(Notice.state == NoticeState.WAITING, Notice.due_at <= now()).order_by(Notice.id)


def send_due() -> None:
    """Send everything that is due, one after another."""
    with reading():
        waiting = db.session.scalars(_due().limit(100)).all()
    db.session.rollback()
    for number in waiting:
        if _take(db.session(), number):
            _send(db.session(), db.session.get_one(Notice, number))


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
    session.commit()  # no transaction is open while a remote server is asked
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
        current_app.logger.warning("Channel %s: a notification was not sent: %s", notice.channel.name, error)
    session.commit()


def _is_pointless(session: Session, notice: Notice) -> bool:
    """Return whether nobody needs it any more: the alert was resolved before anyone was notified of it."""
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
    """Return the message of a notification."""
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


def _room_of(address: str) -> str | None:
    """Return the chat room that a channel writes to; None for one of apprise's addresses."""
    return address.removeprefix(ROOM) if address.startswith(ROOM) else None


def check_address(text: str | None) -> str:
    """Return a channel's address, trimmed.

    :raises Invalid: apprise cannot read it. The message does not repeat it, since it may hold a password.
    :raises NotFound: there is no such room.
    """
    address = (text or "").strip()
    room = _room_of(address)
    if room is not None:
        rooms.find_room(db.session(), room)
        return address
    if _target(address) is None:
        raise Invalid(
            "Notifications cannot be sent to this address. Enter one address of apprise, for example "
            "json://host.example/path or mailto://user:password@mail.example?to=me@example.org; or room://name for a "
            "chat room of this site."
        )
    return address


def send_test(channel: str, address: str) -> str:
    """Send a test notification that names the channel; return what went wrong, or ""."""
    body = f"This is a test of the channel {channel}. Alerts arrive the same way.\n{public_link('monitor.dashboard')}"
    return deliver(address, Message("Test notification from wampflask", body, "info"))


def deliver(address: str, message: Message) -> str:
    """Send one message; return what went wrong, or ""."""
    room = _room_of(address)
    if room is not None:
        return _write(room, message)
    target = _target(address)
    if target is None:
        return "apprise cannot read this address"
    result = target.notify(title=message.title, body=message.body, notify_type=message.kind, body_format="text")
    with closing(result):
        complaints = [entry.message for entry in result.logs()]  # without the address's secrets, unlike its debug log
        return "" if result else next(iter(complaints), "The service did not accept the message.")


def _write(room: str, message: Message) -> str:
    """Write a message into a chat room, as the site; return what went wrong, or ""."""
    lines = message.body.splitlines()
    text = message.body if lines[:1] == [message.title] else f"{message.title}\n{message.body}"
    try:
        wamp.call(SAY, room, text[:ROOM_TEXT_MAX])
    except WampError as error:
        return str(error)
    return ""


def _target(address: str) -> Any:
    """Return where apprise would send to; None when it cannot read the address."""
    import apprise  # a quarter of a second, and only where alerts are sent

    log = logging.getLogger("apprise")
    log.setLevel(logging.WARNING)
    log.propagate = False  # it logs addresses that it cannot read, with their passwords
    log.addHandler(_NOWHERE)
    target = apprise.Apprise()
    is_read = target.add(address) and len(target) == 1
    return target if is_read else None


def forget_old(session: Session) -> None:
    """Delete alerts that were resolved long ago."""
    session.execute(delete(Alert).where(Alert.resolved_at < now() - KEPT))
