"""Who is who: one name for each person, nobody else's, and what a person may."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wampflask.apps.accounts import service as accounts
from wampflask.apps.db import now

from . import contract, names
from .errors import Banned, Invalid, Muted, NameTaken, NotFound, NotYours
from .models import Person, Room, Sanction

MUTE_MAX = 7 * 24 * 60
"""Minutes that a mute lasts at most."""

_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, as the ticket or the log-in cookie says.

    :param authid: ``user:<id>`` or ``visitor:<random>``.
    :param moderator: may delete, mute and ban.
    :param address: the e-mail address, of users only.
    """

    authid: str
    moderator: bool = False
    address: str = ""

    @property
    def guest(self) -> bool:
        """Whether this is somebody who is not logged in."""
        return not self.authid.startswith("user:")


def find_person(session: Session, who: Who) -> Person | None:
    """The person, if they have ever been in a room."""
    return session.scalar(select(Person).where(Person.authid == who.authid))


def ensure_person(session: Session, who: Who) -> Person:
    """The person, locked for this transaction; made, with a name of their own, the first time."""
    known = select(Person).where(Person.authid == who.authid).with_for_update()
    person = session.scalar(known) or _new_person(session, who) or session.scalars(known).one()
    if person.moderator != who.moderator:
        person.moderator = who.moderator
    session.flush()
    return person


def rename(session: Session, who: Who, name: object) -> tuple[Person, list[Person]]:
    """Call somebody by another name.

    :returns: the person, and the guest who had that name, if one had: users come first.
    :raises Invalid: no name. :raises NameTaken: somebody else's.
    """
    wanted = names.clean_name(name)
    person = ensure_person(session, who)
    if person.guest and accounts.has_address_named(session, wanted):
        raise _taken(wanted)
    holder = session.scalar(select(Person).where(Person.folded == names.fold(wanted)).with_for_update())
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
    """One answer for every reason: it must not tell which names begin an account's address."""
    return NameTaken(f"The name “{wanted}” is not available. Choose another one.")


def describe(person: Person) -> contract.Person:
    """As pages hear of it."""
    return contract.Person(id=person.id, name=person.name, guest=person.guest, moderator=person.moderator)


# -- mute and ban


def check_may_enter(session: Session, room: Room, person: Person | None) -> None:
    """:raises Banned: they are."""
    if is_banned(session, room, person):
        raise Banned("You were banned from this room.")


def is_banned(session: Session, room: Room, person: Person | None) -> bool:
    """Whether somebody may not be in the room."""
    found = _sanction(session, room, person) if person is not None else None
    return found is not None and found.banned


def check_may_write(session: Session, room: Room, person: Person) -> None:
    """:raises Banned: they are. :raises Muted: they are, with the time that is left."""
    check_may_enter(session, room, person)
    seconds = muted_for(session, room, person)
    if seconds:
        raise Muted(muted_notice(seconds))


def muted_for(session: Session, room: Room, person: Person | None) -> float:
    """Return the seconds for which somebody may read and not write; 0 for whoever is not muted."""
    return _seconds_left(_sanction(session, room, person) if person is not None else None)


def seconds_muted(session: Session, label: str, authid: str) -> float:
    """The same by label and authid; 0 when there is no such room or person."""
    query = select(Sanction).join(Room, Sanction.room_id == Room.id).join(Person, Sanction.person_id == Person.id)
    found = session.scalar(query.where(Room.label == label, Person.authid == authid))
    return _seconds_left(found)


def muted_notice(seconds: float) -> str:
    """What the muted person reads."""
    minutes = math.ceil(seconds / 60)
    return f"You are muted here for another {minutes} minute{'s' * (minutes != 1)}. You can still read."


def sanction(session: Session, room: Room, who: Who, person_id: int, action: object, minutes: object) -> Person:
    """``mute`` (for some minutes), ``unmute``, ``ban`` or ``unban`` somebody.

    :raises NotYours: who asks is no moderator, or the other one is. :raises NotFound: no such person.
    """
    if not who.moderator:
        raise NotYours("Only moderators may do that.")
    person = session.get(Person, person_id)
    if person is None:
        raise NotFound("There is no such person.")
    if person.moderator:
        raise NotYours("Moderators cannot be muted or banned.")
    found = _sanction(session, room, person) or Sanction(room_id=room.id, person_id=person.id)
    if action in ("ban", "unban"):
        found.banned = action == "ban"
    elif action in ("mute", "unmute"):
        found.muted_until = now() + timedelta(minutes=_minutes(minutes)) if action == "mute" else None
    else:
        raise Invalid("The actions are mute, unmute, ban and unban.")
    session.add(found)
    session.flush()
    if not found.banned and found.muted_until is None:
        session.delete(found)
        session.flush()
    return person


def sanctions(session: Session, room: Room) -> list[contract.Sanctioned]:
    """Who is muted or banned now."""
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


def _minutes(minutes: object) -> int:
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 1 <= minutes <= MUTE_MAX:
        raise Invalid(f"A mute lasts 1 to {MUTE_MAX} minutes.")
    return minutes


def _new_person(session: Session, who: Who) -> Person | None:
    """None when another page of the same person was faster."""
    person = Person(authid=who.authid)
    _call(person, _first_name(session, who))
    try:
        with session.begin_nested():
            session.add(person)
    except IntegrityError:
        return None
    return person


def _call(person: Person, name: str) -> None:
    person.name, person.folded = name, names.fold(name)


def _first_name(session: Session, who: Who) -> str:
    if who.guest:
        return _free_guest_name(session)
    local = who.address.partition("@")[0]
    try:
        wanted = names.clean_name(local[: names.NAME_MAX - 4])
    except Invalid:
        return _free_guest_name(session)
    for number in range(1, _ATTEMPTS):
        name = wanted if number == 1 else f"{wanted} {number}"
        holder = session.scalar(select(Person).where(Person.folded == names.fold(name)))
        if holder is None:
            return name
        if holder.guest:
            _call(holder, _free_guest_name(session))
            session.flush()
            return name
    return _free_guest_name(session)


def _free_guest_name(session: Session) -> str:
    for _ in range(_ATTEMPTS):
        name = names.new_guest_name()
        if session.scalar(select(Person.id).where(Person.folded == names.fold(name))) is None:
            return name
    raise Invalid("No free name was found. Choose one yourself.")
