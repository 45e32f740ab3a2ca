"""What an operator does. Each action is a form with a token, asks first where something ends, and is logged."""

from __future__ import annotations

import json
from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.exc import SQLAlchemyError

from wampflask import CallOptions, CallResult, ConfigError, LockTaken, WampError
from wampflask.apps.access import current_actor, for_admins
from wampflask.apps.errors import Conflict, Invalid
from wampflask.apps.extensions import wamp
from wampflask.permissions import BACKEND
from wampflask.tail import STOP
from wampflask.tasks import Task

from . import contract, live
from .forms import BlockForm, EndForm, JobForm, TailForm, TaskForm, TryForm, WorkerForm
from .views import blocks_page, blueprint

CALL_TIMEOUT = 10.0
"""Seconds that a call by hand may take."""
SHOWN_MAX = 20_000
"""Characters of a result that are shown."""


@blueprint.post("/end")
@for_admins
def end() -> ResponseReturnValue:
    """End sessions: form fields ``session``, ``authid`` or ``role``, ``reason``; asks first (``ops/confirm.html``)."""
    form = EndForm()
    whose = {name: form[name].data for name in ("session", "authid", "role") if form[name].data}
    if not form.validate_on_submit() or len(whose) != 1:
        raise Invalid("Say whose sessions are to end: one session, one person, or one role.")
    if whose.get("role") == BACKEND or whose.get("authid") == BACKEND:
        raise Conflict("Workers would connect again at once. Drain one, or restart the web server.")
    (kind, value), *_ = whose.items()
    who = {"session": f"session {value}", "authid": f"all sessions of {value}", "role": f"everyone with role {value}"}
    if not form.confirm.data:
        return _confirm(
            f"Disconnect {who[kind]}?", "Their pages may connect again at once.", "Disconnect", "ops.sessions"
        )
    wamp.disconnect(**whose, reason=form.reason.data or "")
    _log(f"disconnected {who[kind]!r}, reason: {form.reason.data!r}")
    flash(f"Disconnected {who[kind]}.", "success")
    return redirect(url_for("ops.sessions"))


@blueprint.post("/blocks")
@for_admins
def block() -> ResponseReturnValue:
    """Block somebody: form fields ``authid``, ``minutes`` and ``reason``; asks first."""
    form = BlockForm()
    if not form.validate_on_submit():
        return blocks_page(form), 422
    authid, minutes = (form.authid.data or "").strip(), form.minutes.data or 0
    if authid == current_actor().authid:
        form.authid.errors = ["That is you: you could not lift the block here."]
        return blocks_page(form), 422
    kind, _, name = authid.partition(":")
    if not name or kind == BACKEND:
        form.authid.errors = ["Enter an authid, such as user:17, visitor:9f… or agent:web1."]
        return blocks_page(form), 422
    if not form.confirm.data:
        words = "Their sessions end now, and they get no ticket until then. Their pages show the reason."
        return _confirm(f"Block {authid} for {minutes:,} minutes?", words, "Block", "ops.blocks")
    wamp.block(authid=authid, until=minutes * 60, reason=form.reason.data or "")
    _log(f"blocked {authid!r} for {minutes} minutes, reason: {form.reason.data!r}")
    flash(f"{authid} is blocked for {minutes:,} minutes.", "success")
    return redirect(url_for("ops.blocks"))


@blueprint.post("/blocks/lift")
@for_admins
def unblock() -> ResponseReturnValue:
    """Lift a block: form field ``authid``."""
    authid = request.form.get("authid", "")
    if authid not in {blocked.authid for blocked in wamp.meta.blocks()}:
        raise Conflict("This block has ended already.")
    wamp.unblock(authid=authid)
    _log(f"lifted the block of {authid!r}")
    flash(f"{authid} may connect again.", "success")
    return redirect(url_for("ops.blocks"))


@blueprint.post("/workers/drain")
@for_admins
def drain() -> ResponseReturnValue:
    """Drain a worker: form field ``worker``; asks first."""
    form = WorkerForm()
    workers = {worker.id: worker for worker in wamp.meta.workers()}
    found = workers.get(form.worker.data or "")
    if not form.validate_on_submit() or found is None:
        raise Conflict("This worker is gone.")
    name = f"process {found.pid} on {found.host}"
    if not form.confirm.data:
        others = [one for one in workers.values() if one.ready and not one.drained and one is not found]
        words = "It leaves its procedures to the other workers, finishes what runs, and goes on to serve pages."
        alone = "" if others else " No other worker serves: calls will find nobody, and pages stop being live."
        return _confirm(f"Drain {name}?", words + alone, "Drain", "ops.workers")
    wamp.meta.drain(found.id)
    _log(f"drained {name}")
    flash(f"{name.capitalize()} is drained.", "success")
    return redirect(url_for("ops.workers"))


@blueprint.post("/workers/resume")
@for_admins
def resume() -> ResponseReturnValue:
    """Undo that: form field ``worker``."""
    form = WorkerForm()
    if not form.validate_on_submit() or form.worker.data not in {worker.id for worker in wamp.meta.workers()}:
        raise Conflict("This worker is gone.")
    wamp.meta.resume(form.worker.data)
    _log(f"took worker {form.worker.data!r} back into service")
    flash("The worker serves again.", "success")
    return redirect(url_for("ops.workers"))


@blueprint.post("/jobs/run")
@for_admins
def run_job() -> ResponseReturnValue:
    """Run a job now, in a thread of this worker: form field ``name``."""
    form = JobForm()
    name = form.name.data or ""
    if not form.validate_on_submit():
        raise Invalid("Say which job is to run.")
    try:
        wamp.run_job(name, wait=False)
    except ConfigError:
        raise Conflict("There is no such job.") from None
    except LockTaken:
        raise Conflict(f"The job {name} runs already. Wait for its end.") from None
    except SQLAlchemyError as error:
        raise Conflict(live.without_database(error)) from None
    _log(f"ran the job {name!r}")
    flash(f"The job {name} runs now.", "success")
    return redirect(url_for("ops.jobs"))


@blueprint.post("/tasks/cancel")
@for_admins
def cancel_task() -> ResponseReturnValue:
    """Cancel a task: form field ``task``; asks first."""
    form = TaskForm()
    task = Task(form.task.data or "", "", "")
    try:
        if not form.validate_on_submit() or (found := task.status()).ended:
            raise Conflict("This task has ended already.")
        name = f"the task {found.name} of the queue {found.queue}"
        if not form.confirm.data:
            words = "If it runs, it ends when it next says how far it is. What it has done so far is not undone."
            return _confirm(f"Cancel {name}?", words, "Cancel the task", "ops.tasks")
        task.cancel()
    except LookupError:
        raise Conflict("This task is gone.") from None
    except SQLAlchemyError as error:
        raise Conflict(live.without_database(error)) from None
    _log(f"cancelled {name}, {task.id[:8]}…")
    flash(f"Cancelled {name}.", "success")
    return redirect(url_for("ops.tasks"))


@blueprint.route("/try", methods=["GET", "POST"])
@for_admins
def try_it() -> ResponseReturnValue:
    """Publish or call by hand: ``ops/try.html`` (form; result or trouble, after it was sent)."""
    form = TryForm()
    if not form.is_submitted():
        form = TryForm(formdata=None, uri=request.args.get("uri", ""))
        return render_template("ops/try.html", form=form)
    if not form.validate():
        return render_template("ops/try.html", form=form), 422
    verb, uri = form.verb.data, (form.uri.data or "").strip()
    _log(f"did {verb} {uri} by hand")
    act = _call if verb == "call" else _publish
    try:
        result, trouble = act(uri, form.read_args, form.read_kwargs), ""
    except WampError as error:
        result, trouble = "", f"{error.uri or type(error).__name__}: {error}"
    except TypeError as error:  # a keyword that the function takes itself
        result, trouble = "", f"This cannot be sent from here: {error}."
    return render_template("ops/try.html", form=form, result=result, trouble=trouble, done=True)


def _call(uri: str, args: list[Any], kwargs: dict[str, Any]) -> str:
    found = wamp.call(uri, *args, options=CallOptions(timeout=CALL_TIMEOUT), **kwargs)
    plain = {"args": found.args, "kwargs": found.kwargs} if isinstance(found, CallResult) else found
    text = json.dumps(plain, indent=2, ensure_ascii=False)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}… ({len(text):,} characters)"


def _publish(uri: str, args: list[Any], kwargs: dict[str, Any]) -> str:
    wamp.publish(uri, *args, **kwargs)
    return "The router has it."


@blueprint.route("/follow", methods=["GET", "POST"])
@for_admins
def tails() -> ResponseReturnValue:
    """Begin to follow a topic: ``ops/tails.html`` (form)."""
    form = TailForm()
    if not form.is_submitted():
        return render_template("ops/tails.html", form=TailForm(formdata=None, topic=request.args.get("topic", "")))
    if not form.validate():
        return render_template("ops/tails.html", form=form), 422
    key = contract.new_key()
    wamp.meta.tail((form.topic.data or "").strip(), contract.tail_uri(key), match=form.match.data)
    _log(f"follows {form.topic.data!r} ({form.match.data})")
    return redirect(url_for("ops.tail", key=key))


@blueprint.post("/follow/<key>/stop")
@for_admins
def stop_tail(key: str) -> ResponseReturnValue:
    """Stop to follow a topic."""
    try:
        wamp.call(contract.tail_uri(key), STOP)
    except WampError as error:
        current_app.logger.debug("This tail had ended: %s", error)
    flash("Stopped.", "success")
    return redirect(url_for("ops.tails"))


def _confirm(title: str, message: str, button: str, back: str) -> str:
    """Ask first: the page sends the same form again, with ``confirm``."""
    fields = {name: value for name, value in request.form.items() if name not in ("csrf_token", "confirm")}
    return render_template(
        "ops/confirm.html", title=title, message=message, button=button, fields=fields, back=url_for(back)
    )


def _log(what: str) -> None:
    """Log an action with who did it."""
    current_app.logger.warning("Operator %s %s", current_user.email, what)
