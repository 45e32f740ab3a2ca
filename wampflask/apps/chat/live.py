"""The live things of a room: its messages, who is here, who is muted; and the cards of a person's rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from wampflask import WampError
from wampflask.apps.access import current_actor
from wampflask.apps.answering import answering
from wampflask.apps.extensions import db, wamp
from wampflask.caller import Caller
from wampflask.permissions import EVERYONE
from wampflask.presence import Person as Present
from wampflask.transactions import when_committed

from . import contract, people, service
from .models import Message, Person, Room

PATIENCE = 2.0
"""Seconds that a page waits for the router to answer who is here."""


@wamp.log(contract.MESSAGE, allow=EVERYONE)
@answering(contract.MESSAGE)
def messages(label: str, key: str, since: object) -> list[contract.Message]:
    """Return the changes after ``since``; banned people and callers with a former key are refused."""
    return service.changes(db.session(), contract.label(label), key, current_actor(), since)


def announce_message(room: Room, message: Message) -> contract.Message:
    """Send a message that was written, edited or deleted, with the commit; return it as it is sent."""
    described = service.describe(message)
    messages.append(described, label=contract.component(room.label), key=room.key)
    room_card.changed(label=room.label)
    return described


def announce_move(room: Room, former: str) -> None:
    """Make the pages under the former key ask: they learn that the room has moved, and enter again, unless banned."""
    messages.changed(label=contract.component(room.label), key=former)


@wamp.presence(contract.PRESENCE, allow=EVERYONE)
def here(people: Sequence[Present], label: str, key: str) -> dict[str, contract.Person] | None:
    """Describe who is here; nobody under a former key."""
    session = db.session()
    if not service.has_key(session, contract.label(label), key):
        return None
    return service.described(session, [present.authid for present in people])


def announce_people(session: Session, changed: Sequence[Person]) -> None:
    """Show people's new names wherever they are; the router is asked for that after the commit."""
    authids = [person.authid for person in changed]
    when_committed(session, lambda: here.changed_for(*authids))


def people_here(session: Session, room: Room) -> contract.People:
    """Return who is here now, for a page without JavaScript; nobody while the router is away."""
    try:
        present = wamp.online(contract.presence_topic(room.label, room.key), timeout=PATIENCE)
    except WampError:
        present = []
    return service.people_named(session, [person.authid for person in present])


@wamp.value(contract.MUTED, allow=EVERYONE)
def muted(label: str, authid: str) -> contract.Muted:
    """Return for how long a person may not write."""
    return contract.Muted(seconds=people.seconds_muted(db.session(), contract.label(label), contract.authid(authid)))


def announce_mute(room: Room, person: Person) -> None:
    """Show a person, and nobody else, that they are muted or no longer so."""
    muted.changed(label=contract.component(room.label), authid=contract.authid_component(person.authid))


@wamp.fragment("chat/_room.html", allow=EVERYONE, per="person")
def room_card(label: str, viewer: Caller) -> dict[str, Any] | None:
    """Return the card of one of a person's rooms; None once they are banned from it."""
    room = service.room_for(db.session(), label, str(viewer.authid))
    return None if room is None else {"room": room}


def announce_typing(room: Room, person: Person) -> None:
    """Show who is typing now."""
    wamp.publish_latest(contract.typing_topic(room.label, room.key), people.describe(person))
