"""What pages keep true of a room: its messages, who is here, who is muted; and the rooms one has spoken in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from wampflask import WampError
from wampflask.apps.extensions import db, wamp
from wampflask.caller import Caller
from wampflask.permissions import EVERYONE
from wampflask.presence import Person as Present

from . import contract, people, service
from .answering import answering
from .models import Message, Person, Room
from .viewing import calling

PATIENCE = 2.0  # seconds that a page waits for the router to say who is here


@wamp.log(contract.MESSAGE, allow=EVERYONE)
@answering
def messages(label: str, key: str, since: object) -> list[contract.Message]:
    """The changes after ``since``; refused to the banned, and under a former key."""
    return service.changes(db.session(), contract.label(label), key, calling(), since)


def tell_message(room: Room, message: Message) -> contract.Message:
    """Something was said, edited or deleted; pages learn of it with the commit."""
    described = service.describe(message)
    messages.append(described, label=contract.component(room.label), key=room.key)
    room_card.changed(label=room.label)
    return described


def tell_moved(room: Room, former: str) -> None:
    """Everybody asks, is told that the room has moved, and enters again; who is banned is refused."""
    messages.changed(label=contract.component(room.label), key=former)


@wamp.presence(contract.PRESENCE, allow=EVERYONE)
def here(people: Sequence[Present], label: str, key: str) -> dict[str, contract.Person] | None:
    """Who is here; nobody under a former key."""
    session = db.session()
    if not service.has_key(session, contract.label(label), key):
        return None
    return service.described(session, [present.authid for present in people])


def people_here(session: Session, room: Room) -> contract.People:
    """Who is here now, for a page without JavaScript; nobody while the router is away."""
    try:
        present = wamp.online(contract.presence_topic(room.label, room.key), timeout=PATIENCE)
    except WampError:
        present = []
    return service.people_named(session, [person.authid for person in present])


@wamp.value(contract.MUTED, allow=EVERYONE)
def muted(label: str, authid: str) -> contract.Muted:
    """For how long somebody may not write."""
    return contract.Muted(seconds=people.seconds_muted(db.session(), contract.label(label), contract.authid(authid)))


def tell_muted(room: Room, person: Person) -> None:
    """Somebody may not write, or may again: nobody else hears of it."""
    muted.changed(label=contract.component(room.label), authid=contract.authid_component(person.authid))


@wamp.fragment("chat/_room.html", allow=EVERYONE, per="person")
def room_card(label: str, viewer: Caller) -> dict[str, Any] | None:
    """One of somebody's rooms; nothing once they are banned from it."""
    room = service.room_for(db.session(), label, str(viewer.authid))
    return None if room is None else {"room": room}


def tell_typing(room: Room, person: Person) -> None:
    """Somebody is typing, now."""
    wamp.publish_latest(contract.typing_topic(room.label, room.key), people.describe(person))
