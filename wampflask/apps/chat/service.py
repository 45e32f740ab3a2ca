"""Rooms and messages: write, edit, delete, read. Knows neither Flask nor WAMP.

Every function works in the given session's transaction, and none commits. Whatever is written locks the person's row
first, then the room's row, always in this order; under the room's lock it gets the room's next numbers, so numbers
become visible in order and without gaps. After an error, roll the transaction back.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wampflask.apps import wire
from wampflask.apps.actor import Actor
from wampflask.apps.errors import Invalid, NotFound

from . import contract, people, validation
from .errors import Moved, NotYours, TooFast
from .models import Message, Person, Room, new_key

PAGE = 50
"""Messages that a page shows at first, and that it fetches at a time when it scrolls."""
CATCH_UP = 200
"""Messages in one answer to a page that was away."""
PEOPLE_MAX = 100


@dataclass(frozen=True, slots=True)
class Rate:
    """How much one person may write: ``messages`` in ``seconds``."""

    messages: int
    seconds: float


# -- rooms


def find_room(session: Session, label: object) -> Room:
    """Return the room with this label.

    :raises NotFound: there is none.
    :raises Invalid: not a label.
    """
    room = session.scalar(select(Room).where(Room.label == validation.clean_label(label)))
    if room is None:
        raise NotFound("There is no such room. Open its page to create it.")
    return room


def has_key(session: Session, label: str, key: str) -> bool:
    """Return whether the room's topics end in this key now."""
    return session.scalar(select(Room.id).where(Room.label == label, Room.key == key)) is not None


def room_for(session: Session, label: str, authid: str) -> Room | None:
    """Return the room; None when there is none, or this person is banned from it."""
    room = session.scalar(select(Room).where(Room.label == label))
    if room is None or people.is_banned(session, room, people.find_person(session, Actor(authid))):
        return None
    return room


def new_room(session: Session, label: str | None = None) -> Room:
    """Return a new room, or the one that exists; without a label, a new one with a random name.

    :raises Invalid: not a label.
    """
    for _ in range(50):
        wanted = validation.clean_label(label) if label is not None else validation.new_label()
        found = session.scalar(select(Room).where(Room.label == wanted))
        if found is not None and label is not None:
            return found
        if found is not None:
            continue
        room = Room(label=wanted)
        try:
            with session.begin_nested():
                session.add(room)
        except IntegrityError:
            continue
        return room
    raise Invalid("No free room name was found. Try again.")


def rooms_of(session: Session, person: Person, limit: int = 20) -> Sequence[Room]:
    """Return the rooms in which a person has written, the latest first."""
    spoken = select(Message.room_id, func.max(Message.id).label("latest")).where(Message.person_id == person.id)
    latest = spoken.group_by(Message.room_id).subquery()
    query = select(Room).join(latest, latest.c.room_id == Room.id).order_by(latest.c.latest.desc()).limit(limit)
    return session.scalars(query).all()


def enter(session: Session, label: object, actor: Actor) -> contract.Entered:
    """Return who ``actor`` is in the room, and where its topics are.

    :raises Banned: they are banned.
    :raises NotFound: no such room.
    """
    person = people.ensure_person(session, actor)
    room = find_room(session, label)
    people.check_may_enter(session, room, person)
    return contract.Entered(key=room.key, me=people.describe(person), moderator=actor.is_moderator)


def find_writer(session: Session, label: object, actor: Actor) -> tuple[Room, Person | None]:
    """Return the room, and the person if they have ever been in a room.

    :raises Banned: they are banned.
    :raises Muted: they are muted.
    :raises NotFound: no such room.
    """
    room, person = find_room(session, label), people.find_person(session, actor)
    if person is not None:
        people.check_may_write(session, room, person)
    return room, person


# -- writing


def say(
    session: Session, label: object, actor: Actor, text: object, token: object, rate: Rate, now: float | None = None
) -> tuple[Room, Message, bool]:
    """Write a message; the same token again finds the same message.

    :param now: seconds since the epoch, for tests.
    :returns: the room, the message, and whether it is new.
    :raises Invalid: not a text, or not a token.
    :raises TooFast: they write too fast; it has the seconds to wait.
    :raises Muted: they are muted.
    :raises Banned: they are banned.
    """
    wanted, word = validation.clean_text(text), validation.clean_token(token)
    find_room(session, label)
    person = people.ensure_person(session, actor)
    if word is not None:
        known = session.scalar(select(Message).where(Message.person_id == person.id, Message.token == word))
        if known is not None:
            return known.room, known, False
    _spend(person, rate, time.time() if now is None else now)
    room = _locked(session, label, new=1)
    people.check_may_write(session, room, person)
    message = Message(
        room_id=room.id,
        number=room.last,
        version=room.version,
        person=person,
        name=person.name,
        text=wanted,
        token=word,
    )
    session.add(message)
    session.flush()
    return room, message, True


def edit(session: Session, label: object, actor: Actor, number: object, text: object) -> tuple[Room, Message]:
    """Change a message that ``actor`` wrote.

    :raises NotYours: someone else wrote it.
    :raises NotFound: it was deleted, or never existed.
    """
    wanted = validation.clean_text(text)
    find_room(session, label)
    person = people.ensure_person(session, actor)
    room = _locked(session, label)
    people.check_may_write(session, room, person)
    message = _message(session, room, number)
    if message.person_id != person.id:
        raise NotYours("You can only edit your own messages.")
    message.text, message.edited, message.version = wanted, True, room.version
    session.flush()
    return room, message


def remove(session: Session, label: object, actor: Actor, number: object) -> tuple[Room, Message]:
    """Delete a message that ``actor`` wrote, or as a moderator anyone's. Its text is gone for good, its place stays.

    :raises NotYours: someone else wrote it.
    :raises NotFound: it was deleted already, or never existed.
    """
    find_room(session, label)
    person = people.ensure_person(session, actor)
    room = _locked(session, label)
    people.check_may_enter(session, room, person)
    message = _message(session, room, number)
    if message.person_id != person.id and not actor.is_moderator:
        raise NotYours("You can only delete your own messages.")
    message.text, message.deleted, message.version = "", True, room.version
    session.flush()
    return room, message


def move(session: Session, label: object) -> tuple[Room, str]:
    """Give the room's topics a new key.

    :returns: the room, locked, and the former key.
    :raises NotFound: no such room.
    """
    room = session.scalar(select(Room).where(Room.label == validation.clean_label(label)).with_for_update())
    if room is None:
        raise NotFound("There is no such room.")
    former, room.key = room.key, new_key()
    session.flush()
    return room, former


# -- reading


def history(
    session: Session, label: object, actor: Actor, *, before: object = None, since: object = None
) -> contract.History:
    """Return the last messages, those before a number, or all that changed after a version, in their order.

    :raises Banned: ``actor`` is banned.
    :raises NotFound: no such room.
    """
    room = find_room(session, label)
    person = people.find_person(session, actor)
    people.check_may_enter(session, room, person)
    if since is not None:
        return _changed(session, room, wire.whole(since, "since"))
    older = wire.whole(before, "before") if before is not None else None
    query = select(Message).where(Message.room_id == room.id)
    if older is not None:
        query = query.where(Message.number < older)
    rows = session.scalars(query.order_by(Message.number.desc()).limit(PAGE + 1)).all()
    shown = [describe(message) for message in reversed(rows[:PAGE])]
    return contract.History(messages=shown, version=room.version, more=len(rows) > PAGE)


def changes(session: Session, label: object, key: str, actor: Actor, since: object) -> list[contract.Message]:
    """Return what changed after a version, each message as it is now, by version; None stands for the last messages.

    :raises Banned: ``actor`` is banned.
    :raises Moved: the room has another key.
    :raises NotFound: no such room.
    """
    room = find_room(session, label)
    people.check_may_enter(session, room, people.find_person(session, actor))
    if key != room.key:
        raise Moved("The room has moved. Enter it again.")
    if since is not None:
        return _changed(session, room, wire.whole(since, "since"))["messages"]
    return sorted(history(session, label, actor)["messages"], key=lambda message: message["version"])


def described(session: Session, authids: Sequence[str]) -> dict[str, contract.Person]:
    """Return the people among ``authids`` who have been in a room, by authid, sorted by name."""
    query = select(Person).where(Person.authid.in_(authids)).order_by(Person.folded)
    return {person.authid: people.describe(person) for person in session.scalars(query)}


def people_named(session: Session, authids: Sequence[str]) -> contract.People:
    """Return what :func:`described` does, for a page: at most :data:`PEOPLE_MAX` people, and how many there are."""
    found = list(described(session, authids).values())
    return contract.People(people=found[:PEOPLE_MAX], total=len(found))


def describe(message: Message) -> contract.Message:
    """Return a message as pages show it."""
    return contract.Message(
        id=message.number,
        version=message.version,
        person=message.person_id,
        name=message.name,
        guest=message.person.guest,
        text=message.text,
        at=message.said_at.timestamp(),
        edited=message.edited,
        deleted=message.deleted,
    )


def _changed(session: Session, room: Room, since: int) -> contract.History:
    # The room was read first: whatever has a number up to its version is committed, and found below.
    query = select(Message).where(Message.room_id == room.id, Message.version > since, Message.version <= room.version)
    rows = session.scalars(query.order_by(Message.version).limit(CATCH_UP + 1)).all()
    more = len(rows) > CATCH_UP
    shown = [describe(message) for message in rows[:CATCH_UP]]
    return contract.History(
        messages=shown,
        version=shown[-1]["version"] if more else room.version,
        more=more,
    )


def _message(session: Session, room: Room, number: object) -> Message:
    query = select(Message).where(Message.room_id == room.id, Message.number == wire.whole(number, "id"))
    message = session.scalar(query)
    if message is None or message.deleted:
        raise NotFound("This message was deleted.")
    return message


def _locked(session: Session, label: object, new: int = 0) -> Room:
    """Return the room with its next version and ``new`` more messages; its row is locked until the commit."""
    numbered = update(Room).where(Room.label == validation.clean_label(label))
    numbered = numbered.values(version=Room.version + 1, last=Room.last + new)
    session.execute(numbered, execution_options={"synchronize_session": False})
    room = session.scalar(select(Room).where(Room.label == label), execution_options={"populate_existing": True})
    if room is None:
        raise NotFound("There is no such room.")
    return room


def _spend(person: Person, rate: Rate, now: float) -> None:
    """Count one message against the rate limit. The count is in the person's locked row: all workers share it."""
    each = rate.seconds / rate.messages
    full_at = max(person.full_at, now) + each
    over = full_at - now - rate.seconds
    if over > each * 1e-6:
        raise TooFast(over)
    person.full_at = full_at
