"""The pages of chat: read and written without JavaScript too. Each view's docstring names its template."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from limits import parse

from wampflask.apps.access import current_actor
from wampflask.apps.errors import NotFound, SiteError
from wampflask.apps.extensions import db, limiter
from wampflask.apps.network import client_network
from wampflask.apps.wire import INTEGER_MAX
from wampflask.reading import reading, writing

from . import actions, live, people, service, validation
from .forms import ButtonForm, NameForm, SayForm
from .limits import rate
from .links import pieces

blueprint = Blueprint("chat", __name__)

NEW_ROOMS = parse("120 per hour")
"""Rooms that one address may create."""


@blueprint.app_template_filter("chat_pieces")
def chat_pieces(text: str) -> list[tuple[str, bool]]:
    """Split a text into words and addresses."""
    return list(pieces(text))


@blueprint.app_template_filter("chat_time")
def chat_time(seconds: float) -> datetime:
    """Return the moment of a message."""
    return datetime.fromtimestamp(seconds, UTC)


@blueprint.get("/chat/")
def index() -> str:
    """Show ``chat/index.html`` (rooms: where the person has written, latest first; form)."""
    person = people.find_person(db.session(), current_actor())
    rooms = service.rooms_of(db.session(), person) if person is not None else []
    return render_template("chat/index.html", rooms=rooms, form=ButtonForm())


@blueprint.post("/chat/")
def create() -> ResponseReturnValue:
    """Create a room with a readable random name."""
    _count_new_room()
    label = service.new_room(db.session()).label
    db.session.commit()
    return redirect(url_for("chat.room", label=label))


@blueprint.get("/chat/go")
def go() -> ResponseReturnValue:
    """Redirect to the room whose name was typed: GET with ``name``."""
    label = validation.label_of(request.args.get("name", ""))
    if not label:
        flash("Enter a room name with letters or digits.", "error")
        return redirect(url_for("chat.index"))
    return redirect(url_for("chat.room", label=label))


@blueprint.get("/chat/<label>/")
def room(label: str) -> ResponseReturnValue:
    """Show ``chat/room.html``: the last messages, or those before ``?before=``. The first visit creates the room."""
    wanted = validation.label_of(label)
    if not wanted:
        abort(404)
    if wanted != label:
        return redirect(url_for("chat.room", label=wanted))
    try:
        service.find_room(db.session(), label)
    except NotFound:
        if request.method == "GET":
            _make(label)
    return _page(label)


@blueprint.post("/chat/<label>/")
def say(label: str) -> ResponseReturnValue:
    """Write a message without JavaScript: form fields ``text`` and ``token``."""
    form = SayForm()
    if not form.validate_on_submit():
        return _page(label, "Your message was not sent. Try again."), 422
    try:
        actions.say(db.session(), label, current_actor(), form.text.data, form.token.data or None, rate())
        db.session.commit()
    except NotFound:
        raise
    except SiteError as error:
        db.session.rollback()
        return _page(label, str(error), form.text.data or ""), error.status
    return redirect(url_for("chat.room", label=label, _anchor="say"))


@blueprint.post("/chat/<label>/name")
def rename(label: str) -> ResponseReturnValue:
    """Choose a name without JavaScript: form field ``name``."""
    form = NameForm()
    if form.validate_on_submit():
        try:
            actions.rename(db.session(), current_actor(), form.name.data)
            db.session.commit()
            flash("Name saved.", "success")
        except SiteError as error:
            db.session.rollback()
            flash(str(error), "error")
    return redirect(url_for("chat.room", label=label))


def _page(label: str, trouble: str = "", text: str = "") -> str:
    with reading():  # also in a POST: it waits for the router, and must not hold a lock meanwhile
        return _show(label, trouble, text)


def _show(label: str, trouble: str, text: str) -> str:
    session, actor = db.session(), current_actor()
    before = request.args.get("before", type=int)
    older = before if before is not None and 0 < before <= INTEGER_MAX else None
    history = service.history(session, label, actor, before=older)
    room, person = service.find_room(session, label), people.find_person(session, actor)
    muted = people.muted_for(session, room, person)
    form = SayForm(formdata=None, text=text)
    return render_template(
        "chat/room.html",
        label=label,
        history=history,
        older=older,
        people=live.people_here(session, room),
        me=people.describe(person) if person is not None else None,
        moderator=actor.is_moderator,
        form=form,
        name_form=NameForm(formdata=None, name=person.name if person is not None else ""),
        trouble=trouble,
        muted=people.muted_notice(muted) if muted else "",
        text_max=validation.TEXT_MAX,
        name_max=validation.NAME_MAX,
    )


def _make(label: str) -> None:
    _count_new_room()
    db.session.commit()  # what was read so far did not take the lock that writing needs
    with writing():
        service.new_room(db.session(), label)
        db.session.commit()


def _count_new_room() -> None:
    if not limiter.limiter.hit(NEW_ROOMS, "chat.rooms", client_network()):
        abort(429, "Too many new rooms. Try again in a few minutes.")
