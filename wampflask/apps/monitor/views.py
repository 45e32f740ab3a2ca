"""The pages of host monitoring. Each view's docstring names its template and what it is given.

For users: what runs on machines is not for everyone. Changes are for admins.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from wampflask.apps.access import current_actor, for_admins, for_users, is_admin
from wampflask.apps.db import now
from wampflask.apps.errors import Invalid, NotFound
from wampflask.apps.extensions import db
from wampflask.apps.headers import no_store

from . import adding, agent_file, service
from .alerts import evaluation
from .alerts.models import Alert
from .forms import TokenForm, settings_of
from .intake import enrolment, history, snapshots
from .intake.models import EnrolToken
from .models import Host
from .settings import delivery
from .settings.service import edit_many, shown_config

blueprint = Blueprint("monitor", __name__)


@blueprint.get("/dashboard/")
@for_users
def dashboard() -> ResponseReturnValue:
    """Show ``monitor/dashboard.html`` (hosts: pairs of a host and its newest sample, may_edit)."""
    hosts = [(host, snapshots.latest(host)) for host in service.list_hosts(db.session())]
    return render_template("monitor/dashboard.html", hosts=hosts, may_edit=is_admin())


@blueprint.get("/dashboard/samples.json")
@for_users
def samples() -> ResponseReturnValue:
    """Return what hosts have measured in the last minutes: ``snapshots.samples``."""
    return no_store(jsonify(snapshots.samples(db.session())))


@blueprint.get("/hosts/<host>/")
@for_users
def host(host: str) -> ResponseReturnValue:
    """Show ``monitor/host.html`` (host, config: ShownConfig, latest, range, ranges, form, may_edit)."""
    return _host_page(service.get_host(db.session(), host))


def _host_page(found: Host, form: Any = None, status: int = 200) -> ResponseReturnValue:
    wanted = request.args.get("range", "1h")
    page = render_template(
        "monitor/host.html",
        host=found,
        config=shown_config(found),
        latest=snapshots.latest(found) or {},
        range=wanted if wanted in history.RANGES else "1h",
        ranges=list(history.RANGES),
        form=form or settings_of(found),
        may_edit=is_admin(),
    )
    return page, status


@blueprint.get("/hosts/<host>/history.json")
@for_users
def host_history(host: str) -> ResponseReturnValue:
    """Return ``history.chart`` for ``?range=``, and the ``latest`` sample; 422 for an unknown range."""
    wanted = request.args.get("range", "1h")
    if wanted not in history.RANGES:
        raise Invalid(f"Choose one of these ranges: {', '.join(history.RANGES)}.")
    found = service.get_host(db.session(), host)
    return no_store(jsonify({**history.chart(db.session(), found, wanted), "latest": snapshots.latest(found)}))


# -- for admins


@blueprint.post("/hosts/<host>/settings")
@for_admins
def settings(host: str) -> ResponseReturnValue:
    """Save a host's settings and deliver them to its agent; show the page again (422) when they are not valid."""
    found = service.get_host(db.session(), host)
    form = settings_of(found)
    if not form.validate_on_submit():
        return _host_page(found, form, Invalid.status)
    try:
        edit_many(db.session(), [found], form.values())
        db.session.commit()
    except Invalid as error:
        db.session.rollback()
        form.form_errors.append(str(error))
        return _host_page(service.get_host(db.session(), host), form, Invalid.status)
    state, text = delivery.deliver([host])[host]
    said = f"{text}." if state == "applied" else f"Saved. {text}."
    flash(said, "settings-error" if state == "refused" else "settings-success")  # shown beside the form
    return redirect(url_for("monitor.host", host=host) + "#saved")


@blueprint.route("/hosts/<host>/remove", methods=["POST"])
@for_admins
def remove(host: str) -> ResponseReturnValue:
    """Delete a host and its history, and end its agent's session: it needs a new token to enrol again."""
    found = service.get_host(db.session(), host)
    title = found.title
    db.session.delete(found)
    db.session.commit()
    delivery.cut_off(host)
    flash(f"{title} was removed.", "success")
    return redirect(url_for("monitor.dashboard"))


@blueprint.post("/alerts/<int:number>/acknowledge")
@for_admins
def acknowledge(number: int) -> ResponseReturnValue:
    """Acknowledge an alert."""
    alert = db.session.get(Alert, number)
    if alert is None:
        raise NotFound("There is no such alert.")
    evaluation.acknowledge(alert, current_actor().email)
    db.session.commit()
    if request.form.get("back") == "host":
        return redirect(url_for("monitor.host", host=alert.host.host))
    return redirect(url_for("monitor.dashboard"))


@blueprint.route("/hosts/add", methods=["GET", "POST"])
@for_admins
def add() -> ResponseReturnValue:
    """Show ``monitor/add.html`` (form: TokenForm; ways: adding.Way, with a new token, or none; tokens, moment)."""
    form = TokenForm()
    text = None
    if form.validate_on_submit():
        _, text = enrolment.make_token(
            db.session(),
            note=form.note.data or "",
            reusable=bool(form.reusable.data),
            lifetime=timedelta(hours=int(form.hours.data)),
        )
        db.session.commit()
    tokens = db.session.scalars(select(EnrolToken).order_by(EnrolToken.id.desc()).limit(20)).all()
    page = render_template(
        "monitor/add.html", form=form, ways=adding.ways(text) if text else [], tokens=tokens, moment=now()
    )
    return no_store(Response(page, 200 if request.method == "GET" or text else Invalid.status))


@blueprint.get("/agent.py")
def agent_program() -> ResponseReturnValue:
    """Serve the agent as one file, for hosts to download."""
    program = agent_file.archive()
    if program is None:
        abort(404, "The agent is not installed beside this site.")
    response = Response(program, mimetype="application/zip")
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    return response.make_conditional(request)
