"""The pages of chat: read and written without JavaScript too. Each view's docstring names its template."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from limits import parse

from wampflask.apps.errors import error_page
from wampflask.apps.extensions import db, limiter
from wampflask.apps.network import client_network
from wampflask.reading import reading, writing

from . import acts, live, names, people, service
from .forms import ButtonForm, NameForm, SayForm
from .links import pieces
from .viewing import rate, reader

blueprint = Blueprint("chat", __name__)

NEW_ROOMS = parse("120 per hour")
"""That one address may make."""


@blueprint.app_errorhandler(service.ChatError)
def chat_error(error: service.ChatError) -> Response:
    """What a service refuses, as a page: nothing of the transaction stays."""
    db.session.rollback()
    response = error_page(error.status, str(error))
    if isinstance(error, service.TooFast):
        response.headers["Retry-After"] = str(error.seconds)
    return response


@blueprint.app_template_filter("chat_pieces")
def chat_pieces(text: str) -> list[tuple[str, bool]]:
    """A text cut up into words and addresses."""
    return list(pieces(text))


@blueprint.app_template_filter("chat_time")
def chat_time(seconds: float) -> datetime:
    """The moment of a message."""
    return datetime.fromtimestamp(seconds, UTC)


@blueprint.get("/chat/")
def index() -> str:
    """``chat/index.html`` (rooms: where the reader has spoken, latest first; form)."""
    person = people.find_person(db.session(), reader())
    rooms = service.rooms_of(db.session(), person) if person is not None else []
    return render_template("chat/index.html", rooms=rooms, form=ButtonForm())


@blueprint.post("/chat/")
def create() -> ResponseReturnValue:
    """A new room with a readable random name."""
    _count_new_room()
    label = service.new_room(db.session()).label
    db.session.commit()
    return redirect(url_for("chat.room", label=label))


@blueprint.get("/chat/go")
def go() -> ResponseReturnValue:
    """To the room whose name was typed: GET with ``name``."""
    label = names.label_of(request.args.get("name", ""))
    if not label:
        flash("Enter a room name with letters or digits.", "error")
        return redirect(url_for("chat.index"))
    return redirect(url_for("chat.room", label=label))


@blueprint.get("/chat/<label>/")
def room(label: str) -> ResponseReturnValue:
    """``chat/room.html``: the last messages, or those before ``?before=``. The first visit makes the room."""
    wanted = names.label_of(label)
    if not wanted:
        abort(404)
    if wanted != label:
        return redirect(url_for("chat.room", label=wanted))
    try:
        service.find_room(db.session(), label)
    except service.NotFound:
        if request.method == "GET":
            _make(label)
    return _page(label)


@blueprint.post("/chat/<label>/")
def say(label: str) -> ResponseReturnValue:
    """Say something without JavaScript: form fields ``text`` and ``token``."""
    form = SayForm()
    if not form.validate_on_submit():
        return _page(label, "Your message was not sent. Try again."), 422
    try:
        acts.say(label, reader(), form.text.data, form.token.data or None, rate())
    except service.NotFound:
        raise
    except service.ChatError as error:
        db.session.rollback()
        return _page(label, str(error), form.text.data or ""), error.status
    return redirect(url_for("chat.room", label=label, _anchor="say"))


@blueprint.post("/chat/<label>/name")
def rename(label: str) -> ResponseReturnValue:
    """Choose a name without JavaScript: form field ``name``."""
    form = NameForm()
    if form.validate_on_submit():
        try:
            acts.rename(reader(), form.name.data)
            flash("Name saved.", "success")
        except service.ChatError as error:
            db.session.rollback()
            flash(str(error), "error")
    return redirect(url_for("chat.room", label=label))


def _page(label: str, trouble: str = "", text: str = "") -> str:
    with reading():  # also in a POST: it waits for the router, and must not hold a lock meanwhile
        return _show(label, trouble, text)


def _show(label: str, trouble: str, text: str) -> str:
    session, who = db.session(), reader()
    before = request.args.get("before", type=int)
    older = before if before is not None and 0 < before < 2**31 else None
    history = service.history(session, label, who, before=older)
    room, person = service.find_room(session, label), people.find_person(session, who)
    muted = people.muted_for(session, room, person)
    form = SayForm(formdata=None, text=text)
    return render_template(
        "chat/room.html",
        label=label,
        history=history,
        older=older,
        people=live.people_here(session, room),
        me=people.describe(person) if person is not None else None,
        moderator=who.moderator,
        form=form,
        name_form=NameForm(formdata=None, name=person.name if person is not None else ""),
        trouble=trouble,
        muted=people.muted_notice(muted) if muted else "",
        text_max=names.TEXT_MAX,
        name_max=names.NAME_MAX,
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
