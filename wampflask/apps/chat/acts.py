"""What pages with and without JavaScript do alike: change, commit, tell."""

from __future__ import annotations

from sqlalchemy.orm import Session

from wampflask.apps.extensions import db

from . import contract, live, people, service
from .models import Message, Room
from .people import Who
from .service import Rate


def say(label: object, who: Who, text: object, token: object, rate: Rate) -> contract.Message:
    """Say something; told after the commit, and once."""
    session = db.session()
    room, message, is_new = service.say(session, label, who, text, token, rate)
    if is_new:
        live.tell_message(session, room, message)
    described = service.describe(message)
    session.commit()
    return described


def publish(session: Session, room: Room, message: Message) -> contract.Message:
    """Commit and tell a change."""
    live.tell_message(session, room, message)
    described = service.describe(message)
    session.commit()
    return described


def rename(who: Who, name: object) -> contract.Person:
    """Call somebody otherwise, and tell the rooms where they are."""
    session = db.session()
    person, others = people.rename(session, who, name)
    live.tell_people(session, *people.rooms_with(session, [person, *others]))
    described = people.describe(person)
    session.commit()
    return described


def sanction(session: Session, label: object, who: Who, person_id: int, action: object, minutes: object) -> None:
    """Mute, unmute or unban somebody; who is muted learns of it with the commit, which is the caller's."""
    room = service.find_room(session, label)
    person = people.sanction(session, room, who, person_id, action, minutes)
    live.tell_muted(session, room, person, people.muted_for(session, room, person))


def ban(session: Session, label: object, who: Who, person_id: int) -> None:
    """Shut somebody out: from this commit on nothing reaches them. To be committed by the caller."""
    room, former = service.move(session, label)
    person = people.sanction(session, room, who, person_id, "ban", None)
    people.forget_sessions(session, room, person)
    people.touch_people(session, room)
    live.tell_moved(session, room, former)
    live.tell_people(session, room)
