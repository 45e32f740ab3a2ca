"""Tells open pages what changed, after the commit: the one place where chat is published."""

from __future__ import annotations

from sqlalchemy.orm import Session

from wampflask import PublishOptions
from wampflask.apps.extensions import wamp

from . import contract, people, service
from .models import Message, Person, Room


def tell_message(session: Session, room: Room, message: Message) -> None:
    """Something was said, edited or deleted."""
    topic = contract.message_topic(room.label, room.key)
    wamp.after_commit(session).publish_later(topic, service.describe(message))


def tell_people(session: Session, *rooms: Room) -> None:
    """Somebody came, went, or is called otherwise."""
    for room in rooms:
        topic = contract.presence_topic(room.label, room.key)
        wamp.after_commit(session).publish_latest(topic, service.people_here(session, room))


def tell_moved(session: Session, room: Room, former: str) -> None:
    """Everybody is to enter again; who is banned will be refused."""
    topic = contract.message_topic(room.label, former)
    wamp.after_commit(session).publish_later(topic, contract.Moved(moved=True))


def tell_muted(session: Session, room: Room, person: Person, seconds: float) -> None:
    """Somebody may not write for so many seconds, or with 0 may write again: nobody else hears of it."""
    topic = contract.message_topic(room.label, room.key)
    only_them = PublishOptions(eligible_authid=[person.authid])
    wamp.after_commit(session).publish_later(topic, contract.Muted(muted=seconds), options=only_them)


def tell_typing(room: Room, person: Person) -> None:
    """Somebody is typing, now."""
    wamp.publish_latest(contract.typing_topic(room.label, room.key), people.describe(person))
