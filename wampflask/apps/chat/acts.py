"""What pages with and without JavaScript do alike: change, commit, and have pages learn of it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from wampflask.apps.extensions import db

from . import contract, live, people, service
from .models import Message, Room
from .people import Who
from .service import Rate


def say(label: object, who: Who, text: object, token: object, rate: Rate) -> contract.Message:
    """Say something, once."""
    session = db.session()
    room, message, is_new = service.say(session, label, who, text, token, rate)
    return publish(session, room, message) if is_new else _commit(session, service.describe(message))


def publish(session: Session, room: Room, message: Message) -> contract.Message:
    """Commit a change, and have it known."""
    return _commit(session, live.tell_message(room, message))


def rename(who: Who, name: object) -> contract.Person:
    """Call somebody otherwise, wherever they are."""
    session = db.session()
    person, others = people.rename(session, who, name)
    described, authids = people.describe(person), [one.authid for one in (person, *others)]
    session.commit()
    live.here.changed_for(*authids)
    return described


def sanction(session: Session, label: object, who: Who, person_id: int, action: object, minutes: object) -> None:
    """Mute, unmute or unban somebody; who is muted learns of it with the commit, which is the caller's."""
    room = service.find_room(session, label)
    live.tell_muted(room, people.sanction(session, room, who, person_id, action, minutes))


def ban(session: Session, label: object, who: Who, person_id: int) -> None:
    """Shut somebody out: from this commit on nothing reaches them. To be committed by the caller."""
    room, former = service.move(session, label)
    people.sanction(session, room, who, person_id, "ban", None)
    live.tell_moved(room, former)


def _commit(session: Session, described: contract.Message) -> contract.Message:
    session.commit()
    return described
