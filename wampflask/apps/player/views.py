"""The player's pages, and the files that it plays."""

from __future__ import annotations

from pathlib import Path

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from werkzeug.wsgi import wrap_file

from wampflask import WampError
from wampflask.apps.access import for_admins
from wampflask.apps.extensions import limiter
from wampflask.apps.headers import no_store

from . import calls, contract, media
from .pairing import make_pairing
from .procedures import presence

blueprint = Blueprint("player", __name__)

SAMPLES = (("Running clock", "media/clock.webm", "video/webm"), ("Eight bars", "media/tune.webm", "video/webm"))
PIECE = 2_097_152  # bytes in one answer
ITEMS_MAX = 150  # their titles must fit into one message of the router
AWAY = "The router cannot be reached. Try again in a moment."
PAUSED = "Paused %d of %d players."


def media_folder() -> Path:
    """Return the current app's folder of media."""
    return Path(current_app.instance_path) / media.FOLDER


@blueprint.get("/player/")
def index() -> str:
    """Show ``player/player.html`` (items: title, address and type of what is to be played, own media first)."""
    found = media.list_media(media_folder())[:ITEMS_MAX]
    own = [(item.title, url_for("player.file", name=item.name), item.type) for item in found]
    samples = [(title, url_for("static", filename=file), kind) for title, file, kind in SAMPLES]
    return render_template("player/player.html", items=[*own, *samples])


@blueprint.get("/player/control")
def control() -> str:
    """Show ``player/control.html``, the remote; its player's id stands after the ``#`` and never reaches the server."""
    return render_template("player/control.html")


@blueprint.get("/player/pairing.json")
@limiter.limit("60 per minute")
def pairing() -> ResponseReturnValue:
    """Return a pairing.Pairing for the page that asks. Ids are not kept, so asking is enough. 503 without a router."""
    try:
        response = jsonify(make_pairing())
    except WampError:
        abort(503, AWAY)
    return no_store(response)


@blueprint.get("/player/media/<name>")
def file(name: str) -> Response:
    """Serve a file of the media folder, whole or in ranges, as the media that it is."""
    item = media.find(media_folder(), name)
    if item is None:
        abort(404)
    _shorten_range()
    answer = send_from_directory(media_folder(), item.name, mimetype=item.type, conditional=True, max_age=3600)
    part = answer.content_range
    if part.start is not None and part.stop is not None:
        answer.response.close()  # type: ignore[union-attr]  # it reads the file from its beginning to get to the part
        piece = media.Piece(media_folder() / item.name, part.start, part.stop - part.start)
        answer.response = wrap_file(request.environ, piece)  # type: ignore[arg-type]  # it needs read() and close()
    return answer


def _shorten_range() -> None:
    """Answer a range in pieces: a browser with enough of a paused film would leave the rest with the server."""
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return
    start, stop = wanted.ranges[0]
    if start >= 0 and (stop is None or stop - start > PIECE):
        request.environ["HTTP_RANGE"] = f"bytes={start}-{start + PIECE - 1}"


@blueprint.get("/player/live")
@for_admins
def live() -> ResponseReturnValue:
    """Show ``player/live.html`` (answers: a calls.Answer each, more: players not asked, form: for the token)."""
    answers, more = _ask()
    return render_template("player/live.html", answers=answers, more=more, form=FlaskForm())


@blueprint.post("/player/live")
@for_admins
def pause_all() -> ResponseReturnValue:
    """Call ``pause`` in the browsers that have a player open, and show how many did."""
    answers, more = _ask("pause")
    flash(PAUSED % (sum(not answer.problem for answer in answers), len(answers) + more), "success")
    return redirect(url_for("player.live"))


def _ask(action: str = contract.STATUS) -> tuple[list[calls.Answer], int]:
    """Ask the open players, and count those that are too many to be asked in one request.

    This worker knows them by the router's events. Where it knows of none, the router is asked: that none is open and
    that the router is away are two things.
    """
    try:
        players = presence().players() or calls.find_players()
        return calls.ask(players[: calls.AT_ONCE], action), max(0, len(players) - calls.AT_ONCE)
    except WampError:
        abort(503, AWAY)
