"""What happens by the clock, in one worker of all: rooms that nobody used are deleted."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from wampflask.apps.db import now
from wampflask.apps.extensions import db, wamp

from . import contract
from .models import Message, Room

KEPT = timedelta(days=30)
"""How long a room without any message is kept."""


@wamp.cron(hour=4, minute=20, grace=timedelta(hours=6), name="chat.rooms")
def delete_silent_rooms() -> None:
    """Delete those that are old."""
    delete_silent(KEPT)


def delete_silent(age: timedelta) -> int:
    """Delete rooms of this age without any message and with nobody in them; how many those were.

    :raises WampError: the router did not say who is there.
    """
    silent = select(Room).where(Room.last == 0, Room.created_at <= now() - age)
    empty = [room.id for room in db.session.scalars(silent) if not count_people(room)]
    db.session.rollback()
    still_silent = Room.id.not_in(select(Message.room_id))
    gone = sum(
        db.session.execute(delete(Room).where(Room.id == number, still_silent)).rowcount  # type: ignore[attr-defined]
        for number in empty
    )
    db.session.commit()
    return gone


def count_people(room: Room) -> int:
    """Return how many are in a room.

    :raises WampError: the router did not say.
    """
    return len(wamp.online(contract.presence_topic(room.label, room.key)))
