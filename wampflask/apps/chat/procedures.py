"""What pages call over WAMP. Each procedure is one transaction."""

from __future__ import annotations

from wampflask.apps import wire
from wampflask.apps.access import current_actor
from wampflask.apps.answering import procedure
from wampflask.apps.extensions import db, wamp
from wampflask.reading import reading

from . import actions, contract, live, people, service
from .errors import NotYours
from .limits import rate

wamp.permit(*contract.PERMISSIONS)


@procedure(contract.ENTER)
def enter(label: object) -> contract.Entered:
    """Return who the caller is in the room, and where its topics are."""
    session, actor = db.session(), current_actor()
    entered = service.enter(session, label, actor)
    session.commit()
    return entered


@procedure(contract.HISTORY)
def history(label: object, before: object = None, since: object = None) -> contract.History:
    """Return the last messages, older ones, or what changed."""
    with reading():
        return service.history(db.session(), label, current_actor(), before=before, since=since)


@procedure(contract.SAY)
def say(label: object, text: object, token: object = None) -> contract.Message:
    """Write a message."""
    session = db.session()
    said = actions.say(session, label, current_actor(), text, token, rate())
    session.commit()
    return said


@procedure(contract.EDIT)
def edit(label: object, number: object, text: object) -> contract.Message:
    """Change a message of the caller's."""
    session = db.session()
    edited = live.announce_message(*service.edit(session, label, current_actor(), number, text))
    session.commit()
    return edited


@procedure(contract.DELETE)
def delete(label: object, number: object) -> contract.Message:
    """Delete a message."""
    session = db.session()
    deleted = live.announce_message(*service.remove(session, label, current_actor(), number))
    session.commit()
    return deleted


@procedure(contract.TYPING)
def typing(label: object) -> None:
    """Show the others in the room that the caller is typing; nothing is stored."""
    with reading():
        room, person = service.find_writer(db.session(), label, current_actor())
        if person is not None:
            live.announce_typing(room, person)


@procedure(contract.RENAME)
def rename(label: object, name: object) -> contract.Person:
    """Give the caller another name, in every room."""
    session = db.session()
    service.find_room(session, label)
    renamed = actions.rename(session, current_actor(), name)
    session.commit()
    return renamed


@procedure(contract.MODERATE)
def moderate(label: object, person: object, action: object, minutes: object = 15) -> list[contract.Sanctioned]:
    """Mute, unmute, ban or unban a person; return who is muted or banned then."""
    session = db.session()
    found = actions.moderate(session, label, current_actor(), wire.whole(person, "person", 1), action, minutes)
    session.commit()
    return found


@procedure(contract.SANCTIONS)
def sanctions(label: object) -> list[contract.Sanctioned]:
    """Return who is muted or banned."""
    if not current_actor().is_moderator:
        raise NotYours("Only moderators can see this.")
    with reading():
        return people.sanctions(db.session(), service.find_room(db.session(), label))
