"""The pages of live polls. Each view's docstring names its template and what it is given.

Everywhere: ``snapshot`` is a contract.Snapshot as this person may see it (``snapshot["live"]`` is the topic to follow),
and ``may_edit`` is whether they are an admin. A SiteError is shown as its page: 404, 409 or 422.
"""

from __future__ import annotations

from typing import Any

from flask import (
    Blueprint,
    Response,
    flash,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from wampflask.apps import qr, wire
from wampflask.apps.access import current_actor, for_admins, is_admin
from wampflask.apps.error_pages import refusal
from wampflask.apps.errors import Conflict, Invalid, SiteError
from wampflask.apps.extensions import db
from wampflask.apps.headers import no_store
from wampflask.apps.network import public_base
from wampflask.reading import reading

from . import live, service, voting
from .export import to_csv
from .forms import ActionForm, QuestionForm, VoteForm
from .models import Question, State

blueprint = Blueprint("polls", __name__)

# -- for everyone


@blueprint.get("/polls/")
def index() -> str:
    """Show ``polls/index.html`` (page, pages: numbers from 1; may_edit)."""
    pages = max(1, -(-service.count_questions(db.session()) // live.PAGE_SIZE))
    page = min(max(1, request.args.get("page", 1, type=int)), pages)
    return render_template("polls/index.html", page=page, pages=pages, may_edit=is_admin())


@blueprint.get("/polls/<int:question_id>/")
def detail(question_id: int) -> str:
    """Show ``polls/detail.html`` (question, snapshot, form: VoteForm, voted: ids of own picks, may_see_results,
    may_vote: open and not voted or changeable, error: a message after a refused vote, may_edit).

    Inputs: ``name="choice"``, value the choice's id; radio for kind single, checkbox for multiple.
    """
    return _detail_page(question_id)


@blueprint.post("/polls/<int:question_id>/")
def vote(question_id: int) -> ResponseReturnValue:
    """Vote, or change a vote: form fields ``choice`` (one or several). Then show the results.

    Clients that prefer JSON get the new snapshot. Errors: 404, 409 (closed, voted), 422 (no choice, or a wrong one).
    """
    actor = current_actor()
    try:
        key = voting.vote(db.session(), question_id, actor.authid, _picked())
        if key is not None:
            live.voted(question_id, key)
        db.session.commit()
    except (Conflict, Invalid) as error:
        answer = refusal(error)
        return answer if _prefers_json() else (_detail_page(question_id, str(error)), error.status)
    if _prefers_json():
        with reading():
            return jsonify(service.snapshot(db.session(), service.get_question(db.session(), question_id), actor))
    flash("Your vote is counted.", "success")
    return redirect(url_for("polls.results", question_id=question_id))


@blueprint.get("/polls/<int:question_id>/results")
def results(question_id: int) -> str:
    """Show ``polls/results.html`` (question, snapshot, voted, may_see_results, may_vote, may_edit)."""
    return render_template("polls/results.html", **_context(question_id))


@blueprint.get("/polls/<int:question_id>/snapshot.json")
def snapshot(question_id: int) -> Response:
    """Return what the procedure ``polls.question.results`` does, for pages whose router is away."""
    question = service.get_question(db.session(), question_id)
    return no_store(jsonify(service.snapshot(db.session(), question, current_actor())))


@blueprint.get("/p/<code>")
def join(code: str) -> Response:
    """Redirect from the address in the QR code to the question."""
    question = service.find_code(db.session(), code)
    return make_response(redirect(url_for("polls.detail", question_id=question.id)))


@blueprint.get("/p/")
def enter() -> Response:
    """Redirect to the question whose code was typed into a form: GET with ``code``."""
    code = request.args.get("code", "").strip()
    if not code:
        return make_response(redirect(url_for("polls.index")))
    return join(code)


@blueprint.get("/polls/<int:question_id>/present")
def present(question_id: int) -> str:
    """Show ``polls/present.html`` (question, snapshot: as everyone may see it, since it is shown on a wall;
    join_url: address of ``/p/<code>`` that phones can reach; may_edit: show open, close, reset; form: ActionForm).
    """
    question = service.get_question(db.session(), question_id)
    return render_template(
        "polls/present.html",
        question=question,
        snapshot=service.public_snapshot(question),
        join_url=_join_url(question),
        may_edit=is_admin(),
        form=ActionForm(),
    )


@blueprint.get("/polls/<int:question_id>/qr.svg", endpoint="qr")
def qr_code(question_id: int) -> Response:
    """Return a QR code of the address to join at. Pages name the address, so that browsers may keep the code for it."""
    join_url = _join_url(service.get_question(db.session(), question_id))
    response = make_response(qr.draw(join_url))
    response.mimetype = "image/svg+xml"
    age = 86_400 if request.args.get("to") == join_url else 60
    response.headers["Cache-Control"] = f"private, max-age={age}"
    return response


# -- for admins


@blueprint.route("/polls/new", methods=["GET", "POST"])
@for_admins
def create() -> ResponseReturnValue:
    """Show ``polls/form.html`` (form: QuestionForm, question: None); 422 when shown again."""
    form = QuestionForm()
    if form.validate_on_submit():
        try:
            question = service.create_question(db.session(), form.draft())
            db.session.commit()
        except Invalid as error:
            return _form_page(form, None, error)
        flash("Your poll is open for voting. Share the code or present it.", "success")
        return redirect(url_for("polls.detail", question_id=question.id))
    return _form_page(form, None)


@blueprint.route("/polls/<int:question_id>/edit", methods=["GET", "POST"])
@for_admins
def edit(question_id: int) -> ResponseReturnValue:
    """Show ``polls/form.html`` (form: QuestionForm, question); 409 or 422 when shown again."""
    question = service.get_question(db.session(), question_id)
    form = QuestionForm.of(question)
    if form.validate_on_submit():
        try:
            service.edit_question(db.session(), question_id, form.draft())
            db.session.commit()
        except (Conflict, Invalid) as error:
            return _form_page(form, question_id, error)
        flash("Saved. Open pages are up to date.", "success")
        return redirect(url_for("polls.detail", question_id=question_id))
    return _form_page(form, question_id)


@blueprint.post("/polls/<int:question_id>/open")
@for_admins
def open_(question_id: int) -> ResponseReturnValue:
    """Open voting."""
    service.set_state(db.session(), question_id, State.OPEN)
    db.session.commit()
    return _back(question_id, "Voting is open.")


@blueprint.post("/polls/<int:question_id>/close")
@for_admins
def close(question_id: int) -> ResponseReturnValue:
    """Close voting; everyone can see the results."""
    service.set_state(db.session(), question_id, State.CLOSED)
    db.session.commit()
    return _back(question_id, "Voting has closed.")


@blueprint.route("/polls/<int:question_id>/reset", methods=["GET", "POST"])
@for_admins
def reset(question_id: int) -> ResponseReturnValue:
    """Delete all votes at a POST with ``confirm=1``, or without it while there are none. Else show
    ``polls/confirm.html`` (question, form: ActionForm, action: address to POST to, title, message, button,
    cancel: address).
    """
    question = service.get_question(db.session(), question_id)
    if _needs_confirmation(question):
        return _confirm_page(
            question, "polls.reset", "Reset this poll?", "Everyone can vote again.", "Delete all votes"
        )
    service.reset(db.session(), question_id)
    db.session.commit()
    return _back(question_id, "All votes were deleted. Everyone can vote again.")


@blueprint.route("/polls/<int:question_id>/delete", methods=["GET", "POST"])
@for_admins
def delete(question_id: int) -> ResponseReturnValue:
    """Delete the question; while it has votes, only after the same confirmation as ``reset``."""
    question = service.get_question(db.session(), question_id)
    if _needs_confirmation(question):
        return _confirm_page(
            question, "polls.delete", "Delete this poll?", "Its address and QR code stop working.", "Delete"
        )
    service.delete_question(db.session(), question_id, with_votes=request.form.get("confirm") == "1")
    db.session.commit()
    flash("The poll was deleted.", "success")
    return redirect(url_for("polls.index"))


@blueprint.get("/polls/<int:question_id>/export.csv")
@for_admins
def export(question_id: int) -> Response:
    """Return the counts as CSV."""
    question = service.get_question(db.session(), question_id)
    response = make_response(to_csv(service.full_snapshot(question)))
    response.mimetype = "text/csv"
    response.headers["Content-Disposition"] = f'attachment; filename="question-{question_id}.csv"'
    return no_store(response)


# -- parts


def _context(question_id: int) -> dict[str, Any]:
    question = service.get_question(db.session(), question_id)
    found = service.snapshot(db.session(), question, current_actor())
    voted = found.get("voted", [])
    return {
        "question": question,
        "snapshot": found,
        "voted": voted,
        "may_see_results": not found["hidden"],
        "may_vote": found["open"] and (not voted or found["may_change"]),
        "join_url": _join_url(question),
        "may_edit": is_admin(),
    }


def _detail_page(question_id: int, error: str = "") -> str:
    return render_template("polls/detail.html", **_context(question_id), form=VoteForm(), error=error)


def _picked() -> list[int]:
    return [wire.from_form(digits, voting.FOREIGN) for digits in request.form.getlist("choice")]


def _prefers_json() -> bool:
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


def _join_url(question: Question) -> str:
    return public_base() + url_for("polls.join", code=question.code)


def _form_page(form: QuestionForm, question_id: int | None, error: SiteError | None = None) -> ResponseReturnValue:
    db.session.rollback()
    question = service.get_question(db.session(), question_id) if question_id is not None else None
    status = 200 if request.method == "GET" else Invalid.status
    if error is not None:
        form.form_errors.append(str(error))
        status = error.status
    return render_template("polls/form.html", form=form, question=question), status


def _needs_confirmation(question: Question) -> bool:
    return request.method == "GET" or (question.voters > 0 and request.form.get("confirm") != "1")


def _confirm_page(question: Question, endpoint: str, title: str, message: str, button: str) -> ResponseReturnValue:
    if question.voters:
        people = "1 person has" if question.voters == 1 else f"{question.voters} people have"
        message = f"{people} voted. These votes will be deleted for good. {message}"
    page = render_template(
        "polls/confirm.html",
        question=question,
        form=ActionForm(confirm="1", formdata=None),
        action=url_for(endpoint, question_id=question.id),
        title=title,
        message=message,
        button=button,
        cancel=url_for("polls.detail", question_id=question.id),
    )
    return page, 200 if request.method == "GET" else 409


def _back(question_id: int, message: str) -> ResponseReturnValue:
    """Go back to the page with the button, if it is one of the question's, else to the question."""
    flash(message, "success")
    pages = {"present": "polls.present", "results": "polls.results", "index": "polls.index"}
    endpoint = pages.get(request.form.get("back", ""), "polls.detail")
    if endpoint == "polls.index":
        return redirect(url_for(endpoint))
    return redirect(url_for(endpoint, question_id=question_id))
