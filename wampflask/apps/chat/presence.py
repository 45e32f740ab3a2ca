"""Who is here: the live sessions that entered a room, kept true by what the router says of sessions.

A session that ends is taken off by one of the workers. What nobody heard (the router died, or all workers did) is
mended when a worker is connected again.
"""

from __future__ import annotations

from flask import Flask, current_app
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from wampflask import CallFailed, WampError, signals
from wampflask.apps.extensions import db, wamp
from wampflask.reading import reading

from . import live, people
from .models import Person, Presence, Room

_BATCH = 500


def init_app(app: Flask) -> None:
    """Look for what was missed whenever this worker is connected."""
    signals.ready.connect(mend, app)


def enter(session: Session, room: Room, person: Person, number: int) -> bool:
    """Note a session; whether it is new here."""
    known = session.get(Presence, number)
    if known is not None and (known.room_id, known.person_id) == (room.id, person.id):
        return False
    session.merge(Presence(session=number, room_id=room.id, person_id=person.id))
    people.touch_people(session, room)
    return True


def check(number: int) -> None:
    """Take a session off again that ended while it was entering."""
    try:
        wamp.call("wamp.session.get", number)
    except CallFailed as error:
        if error.uri == "wamp.error.no_such_session":
            leave([number])
    except WampError as error:
        current_app.logger.info("Whether session %s is still there was not answered: %s", number, error)


@wamp.subscribe("wamp.session.on_leave", single=True)
def on_leave(number: object, *_more: object) -> None:
    """A session ended; most of them were in no room."""
    if isinstance(number, int):
        with reading():
            known = db.session.get(Presence, number)
            db.session.rollback()
        if known is not None:
            leave([number])


def mend(_app: Flask, **_more: object) -> None:
    """Take off the sessions that ended while nobody listened."""
    with reading():
        noted = set(db.session.scalars(select(Presence.session)))
        db.session.rollback()
    if noted:
        gone = sorted(noted - set(wamp.call("wamp.session.list")))
        for start in range(0, len(gone), _BATCH):
            leave(gone[start : start + _BATCH])


def leave(numbers: list[int]) -> None:
    """Take sessions off, and tell the rooms they were in."""
    session = db.session()
    ids = select(Presence.room_id).where(Presence.session.in_(numbers))
    rooms = session.scalars(select(Room).where(Room.id.in_(ids)).order_by(Room.id).with_for_update()).all()
    session.execute(delete(Presence).where(Presence.session.in_(numbers)))
    for room in rooms:
        people.touch_people(session, room)
    live.tell_people(session, *rooms)
    session.commit()
