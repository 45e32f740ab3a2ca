"""What pages call over WAMP. Each is one transaction; what is refused leaves nothing of it."""

from __future__ import annotations

from wampflask.apps.extensions import db, wamp
from wampflask.reading import reading

from . import acts, contract, live, people, service
from .answering import answering
from .viewing import calling, rate

wamp.permit(*contract.PERMISSIONS)


@wamp.register(contract.ENTER)
@answering
def enter(label: object) -> contract.Entered:
    """Learn who one is here, and where the room's topics are."""
    who, session = calling(), db.session()
    person = people.ensure_person(session, who)
    room = service.find_room(session, label)
    people.check_may_enter(session, room, person)
    entered = contract.Entered(key=room.key, me=people.describe(person), moderator=who.moderator)
    session.commit()
    return entered


@wamp.register(contract.HISTORY)
@answering
def history(label: object, before: object = None, since: object = None) -> contract.History:
    """The last messages, older ones, or what changed."""
    with reading():
        return service.history(db.session(), label, calling(), before=before, since=since)


@wamp.register(contract.SAY)
@answering
def say(label: object, text: object, token: object = None) -> contract.Message:
    """Say something."""
    return acts.say(label, calling(), text, token, rate())


@wamp.register(contract.EDIT)
@answering
def edit(label: object, number: object, text: object) -> contract.Message:
    """Change one's own words."""
    session = db.session()
    room, message = service.edit(session, label, calling(), number, text)
    return acts.publish(session, room, message)


@wamp.register(contract.DELETE)
@answering
def delete(label: object, number: object) -> contract.Message:
    """Delete a message."""
    session = db.session()
    room, message = service.remove(session, label, calling(), number)
    return acts.publish(session, room, message)


@wamp.register(contract.TYPING)
@answering
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
@answering
def rename(label: object, name: object) -> contract.Person:
    """Be called so from now on, in every room."""
    who = calling()
    service.find_room(db.session(), label)
    return acts.rename(who, name)


@wamp.register(contract.MODERATE)
@answering
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
@answering
def sanctions(label: object) -> list[contract.Sanctioned]:
    """Who is muted or banned."""
    with reading():
        if not calling().moderator:
            raise service.NotYours("Only moderators see that.")
        return people.sanctions(db.session(), service.find_room(db.session(), label))
