"""People in rooms: each has a name of their own; moderators mute and ban."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wampflask.apps import wire
from wampflask.apps.accounts import service as accounts
from wampflask.apps.actor import Actor
from wampflask.apps.db import now
from wampflask.apps.errors import Invalid, NotFound

from . import contract, validation
from .errors import Banned, Muted, NameTaken, NotYours
from .models import Person, Room, Sanction

MUTE_MAX = 7 * 24 * 60
"""Minutes that a mute lasts at most."""

SITE_NAME = "wampflask"
"""The site's own name in rooms, which nobody else can have."""

_ATTEMPTS = 50


def find_person(session: Session, actor: Actor) -> Person | None:
    """Return the person, if they have ever been in a room."""
    return session.scalar(select(Person).where(Person.authid == actor.authid))


def ensure_person(session: Session, actor: Actor) -> Person:
    """Return the person, locked for this transaction; the first time they are added, with a name of their own.

    :raises NotYours: a program without a key asks.
    """
    if not actor.may_write:
        raise NotYours("Chat is for people, and for programs with a key.")
    known = select(Person).where(Person.authid == actor.authid).with_for_update()
    person = session.scalar(known) or _new_person(session, actor) or session.scalars(known).one()
    if person.moderator != actor.is_moderator:
        person.moderator = actor.is_moderator
    session.flush()
    return person


def rename(session: Session, actor: Actor, name: object) -> tuple[Person, list[Person]]:
    """Give a person another name.

    :returns: the person, and the visitor who had that name, if one had: users take precedence.
    :raises Invalid: not a name that is allowed.
    :raises NameTaken: someone else has it.
    """
    wanted = validation.clean_name(name)
    person = ensure_person(session, actor)
    if person.guest and accounts.has_address_named(session, wanted):
        raise _taken(wanted)
    holder = session.scalar(select(Person).where(Person.folded == validation.fold(wanted)).with_for_update())
    if holder is None or holder is person:
        _call(person, wanted)
        session.flush()
        return person, []
    if person.guest or not holder.guest:
        raise _taken(wanted)
    _call(holder, _free_guest_name(session))
    session.flush()  # the name must be free before it is taken
    _call(person, wanted)
    session.flush()
    return person, [holder]


def _taken(wanted: str) -> NameTaken:
    """Return one error for every reason: it must not reveal which names begin a user's address."""
    return NameTaken(f"The name “{wanted}” is not available. Choose another one.")


def describe(person: Person) -> contract.Person:
    """Return a person as pages show them."""
    return contract.Person(id=person.id, name=person.name, guest=person.guest, moderator=person.moderator)


# -- mute and ban


def check_may_enter(session: Session, room: Room, person: Person | None) -> None:
    """Refuse banned people.

    :raises Banned: the person is banned.
    """
    if is_banned(session, room, person):
        raise Banned("You were banned from this room.")


def is_banned(session: Session, room: Room, person: Person | None) -> bool:
    """Return whether a person is banned from the room."""
    found = _sanction(session, room, person) if person is not None else None
    return found is not None and found.banned


def check_may_write(session: Session, room: Room, person: Person) -> None:
    """Do nothing for a person who may write.

    :raises Banned: the person is banned.
    :raises Muted: the person is muted; the message has the time left.
    """
    check_may_enter(session, room, person)
    seconds = muted_for(session, room, person)
    if seconds:
        raise Muted(muted_notice(seconds))


def muted_for(session: Session, room: Room, person: Person | None) -> float:
    """Return the seconds for which a person is still muted; 0 if they are not."""
    return _seconds_left(_sanction(session, room, person) if person is not None else None)


def seconds_muted(session: Session, label: str, authid: str) -> float:
    """Return the same by label and authid; 0 when there is no such room or person."""
    query = select(Sanction).join(Room, Sanction.room_id == Room.id).join(Person, Sanction.person_id == Person.id)
    found = session.scalar(query.where(Room.label == label, Person.authid == authid))
    return _seconds_left(found)


def muted_notice(seconds: float) -> str:
    """Return what the muted person is shown."""
    minutes = math.ceil(seconds / 60)
    return f"You are muted here for another {minutes} minute{'s' * (minutes != 1)}. You can still read."


def sanction(session: Session, room: Room, actor: Actor, person_id: int, action: object, minutes: object) -> Person:
    """Mute (for some minutes), unmute, ban or unban a person.

    :raises NotYours: ``actor`` is not a moderator, or the person is one.
    :raises NotFound: no such person.
    :raises Invalid: the action or the minutes.
    """
    if not actor.is_moderator:
        raise NotYours("Only moderators can do this.")
    person = session.get(Person, person_id)
    if person is None:
        raise NotFound("There is no such person in this room.")
    if person.moderator:
        raise NotYours("Moderators cannot be muted or banned.")
    found = _sanction(session, room, person) or Sanction(room_id=room.id, person_id=person.id)
    if action in ("ban", "unban"):
        found.banned = action == "ban"
    elif action in ("mute", "unmute"):
        found.muted_until = _end_of_mute(minutes) if action == "mute" else None
    else:
        raise Invalid("The actions are mute, unmute, ban and unban.")
    session.add(found)
    session.flush()
    if not found.banned and found.muted_until is None:
        session.delete(found)
        session.flush()
    return person


def sanctions(session: Session, room: Room) -> list[contract.Sanctioned]:
    """Return who is muted or banned now."""
    query = select(Sanction).where(Sanction.room_id == room.id).order_by(Sanction.id)
    return [
        contract.Sanctioned(
            person=describe(found.person),
            banned=found.banned,
            muted_until=found.muted_until.timestamp() if found.muted_until else None,
        )
        for found in session.scalars(query)
        if found.banned or (found.muted_until and found.muted_until > now())
    ]


def _sanction(session: Session, room: Room, person: Person) -> Sanction | None:
    return session.scalar(select(Sanction).where(Sanction.room_id == room.id, Sanction.person_id == person.id))


def _seconds_left(found: Sanction | None) -> float:
    if found is None or found.muted_until is None:
        return 0.0
    return max(0.0, (found.muted_until - now()).total_seconds())


def _end_of_mute(minutes: object) -> datetime:
    return now() + timedelta(minutes=wire.whole(minutes, "minutes", 1, MUTE_MAX))


def _new_person(session: Session, actor: Actor) -> Person | None:
    """Return None when another page of the same person was faster."""
    person = Person(authid=actor.authid)
    _call(person, _first_name(session, actor))
    try:
        with session.begin_nested():
            session.add(person)
    except IntegrityError:
        return None
    return person


def _call(person: Person, name: str) -> None:
    person.name, person.folded = name, validation.fold(name)


def _first_name(session: Session, actor: Actor) -> str:
    if actor.is_site:
        return SITE_NAME
    local = actor.key or actor.email.partition("@")[0]
    if not local:
        return _free_guest_name(session)
    try:
        wanted = validation.clean_name(local[: validation.NAME_MAX - 4])
    except Invalid:
        return _free_guest_name(session)
    for number in range(1, _ATTEMPTS):
        name = wanted if number == 1 else f"{wanted} {number}"
        holder = session.scalar(select(Person).where(Person.folded == validation.fold(name)))
        if holder is None:
            return name
        if holder.guest:
            _call(holder, _free_guest_name(session))
            session.flush()
            return name
    return _free_guest_name(session)


def _free_guest_name(session: Session) -> str:
    for _ in range(_ATTEMPTS):
        name = validation.new_guest_name()
        if session.scalar(select(Person.id).where(Person.folded == validation.fold(name))) is None:
            return name
    raise Invalid("No free name was found. Choose a name.")
