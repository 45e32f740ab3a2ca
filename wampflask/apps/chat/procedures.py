"""What pages call over WAMP. Each is one transaction; what is refused leaves nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from wampflask import CallFailed, caller
from wampflask.apps.extensions import db, wamp
from wampflask.reading import reading

from . import acts, contract, live, people, presence, service
from .viewing import calling, rate

wamp.permit(*contract.PERMISSIONS)

P = ParamSpec("P")
R = TypeVar("R")


def _answering(procedure: Callable[P, R]) -> Callable[P, R]:
    """Decorator: a refusal leaves as its error in WAMP, and the transaction is undone."""

    @wraps(procedure)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return procedure(*args, **kwargs)
        except service.TooFast as error:
            db.session.rollback()
            raise CallFailed(error.uri, str(error), seconds=error.seconds) from None
        except service.ChatError as error:
            db.session.rollback()
            raise CallFailed(error.uri, str(error)) from None

    return answered


@wamp.register(contract.ENTER)
@_answering
def enter(label: object) -> contract.Entered:
    """Be in the room for as long as this session lasts."""
    who, session = calling(), db.session()
    person = people.ensure_person(session, who)
    room = service.find_room(session, label)
    people.check_may_enter(session, room, person)
    number = caller.session
    is_new = number is not None and presence.enter(session, room, person, number)
    if is_new:
        live.tell_people(session, room)
    entered = contract.Entered(key=room.key, me=people.describe(person), moderator=who.moderator)
    session.commit()
    if is_new and number is not None:
        presence.check(number)
    return entered


@wamp.register(contract.HISTORY)
@_answering
def history(label: object, before: object = None, since: object = None) -> contract.History:
    """The last messages, older ones, or what changed."""
    with reading():
        return service.history(db.session(), label, calling(), before=before, since=since)


@wamp.register(contract.SAY)
@_answering
def say(label: object, text: object, token: object = None) -> contract.Message:
    """Say something."""
    return acts.say(label, calling(), text, token, rate())


@wamp.register(contract.EDIT)
@_answering
def edit(label: object, number: object, text: object) -> contract.Message:
    """Change one's own words."""
    session = db.session()
    room, message = service.edit(session, label, calling(), number, text)
    return acts.publish(session, room, message)


@wamp.register(contract.DELETE)
@_answering
def delete(label: object, number: object) -> contract.Message:
    """Delete a message."""
    session = db.session()
    room, message = service.remove(session, label, calling(), number)
    return acts.publish(session, room, message)


@wamp.register(contract.TYPING)
@_answering
def typing(label: object) -> None:
    """Tell the others; nothing is stored."""
    with reading():
        session = db.session()
        room = service.find_room(session, label)
        person = people.find_person(session, calling())
        if person is not None:
            people.check_may_write(session, room, person)
            live.tell_typing(room, person)


@wamp.register(contract.RENAME)
@_answering
def rename(label: object, name: object) -> contract.Person:
    """Be called so from now on, in every room."""
    who = calling()
    service.find_room(db.session(), label)
    return acts.rename(who, name)


@wamp.register(contract.MODERATE)
@_answering
def moderate(label: object, person: object, action: object, minutes: object = 15) -> list[contract.Sanctioned]:
    """Mute, unmute, ban or unban somebody; who is muted or banned then."""
    who, session = calling(), db.session()
    if not isinstance(person, int) or isinstance(person, bool) or not 0 < person < 2**31:
        raise service.Invalid("A person is named by number.")
    if action == "ban":
        acts.ban(session, label, who, person)
    else:
        acts.sanction(session, label, who, person, action, minutes)
    found = people.sanctions(session, service.find_room(session, label))
    session.commit()
    return found


@wamp.register(contract.SANCTIONS)
@_answering
def sanctions(label: object) -> list[contract.Sanctioned]:
    """Who is muted or banned."""
    with reading():
        if not calling().moderator:
            raise service.NotYours("Only moderators see that.")
        return people.sanctions(db.session(), service.find_room(db.session(), label))
