"""What pages and procedures both do: a change, and its announcement, which leaves with the caller's commit."""

from __future__ import annotations

from sqlalchemy.orm import Session

from wampflask.apps.actor import Actor

from . import contract, live, people, service
from .service import Rate


def say(session: Session, label: object, actor: Actor, text: object, token: object, rate: Rate) -> contract.Message:
    """Write a message; the same token again gives the same message again."""
    room, message, is_new = service.say(session, label, actor, text, token, rate)
    return live.announce_message(room, message) if is_new else service.describe(message)


def rename(session: Session, actor: Actor, name: object) -> contract.Person:
    """Give a person another name, in every room."""
    person, others = people.rename(session, actor, name)
    live.announce_people(session, [person, *others])
    return people.describe(person)


def moderate(
    session: Session, label: object, actor: Actor, person_id: int, action: object, minutes: object
) -> list[contract.Sanctioned]:
    """Mute, unmute, ban or unban a person, and return who is muted or banned then.

    Nothing reaches a banned person after the commit, since the room's topics get a new key.
    """
    if action == "ban":
        room, former = service.move(session, label)
        people.sanction(session, room, actor, person_id, action, minutes)
        live.announce_move(room, former)
    else:
        room = service.find_room(session, label)
        live.announce_mute(room, people.sanction(session, room, actor, person_id, action, minutes))
    return people.sanctions(session, room)
