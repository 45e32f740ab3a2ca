"""The pages of host monitoring. Each view's docstring names its template and what it is given.

For those who are logged in: what runs on machines is not for everybody. Changes are for admins.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy import select

from wampflask.apps.db import now
from wampflask.apps.errors import error_page
from wampflask.apps.extensions import db
from wampflask.apps.guard import for_admins, is_admin, refuse
from wampflask.apps.headers import mark_private

from . import adding, agent_file, alerts, history, push, service, snapshots
from .forms import TokenForm, settings_of
from .models import Alert, EnrolToken, Host, MonitorError, NotFound

blueprint = Blueprint("monitor", __name__)

UNPROCESSABLE = 422

View = Callable[..., ResponseReturnValue]


def for_watchers(view: View) -> View:
    """Decorator: others are sent to log in."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        mark_private()
        return view(*args, **kwargs) if current_user.is_authenticated else refuse()

    return guarded


@blueprint.app_errorhandler(MonitorError)
def monitor_error(error: MonitorError) -> Response:
    """What a rule refuses, as a page: nothing of the transaction stays."""
    db.session.rollback()
    return error_page(404 if isinstance(error, NotFound) else UNPROCESSABLE, str(error))


def no_store(data: Any) -> Response:
    """JSON that is true only now."""
    response = jsonify(data)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/dashboard/")
@for_watchers
def dashboard() -> ResponseReturnValue:
    """``monitor/dashboard.html`` (hosts: pairs of a host and its newest sample, may_edit)."""
    hosts = [(host, snapshots.latest(host)) for host in service.list_hosts(db.session())]
    return render_template("monitor/dashboard.html", hosts=hosts, may_edit=is_admin())


@blueprint.get("/dashboard/samples.json")
@for_watchers
def samples() -> ResponseReturnValue:
    """What hosts have measured of late: ``snapshots.samples``."""
    return no_store(snapshots.samples(db.session()))


@blueprint.get("/hosts/<host>/")
@for_watchers
def host(host: str) -> ResponseReturnValue:
    """``monitor/host.html`` (host, config: ShownConfig, latest, range, ranges, form, may_edit)."""
    return _host_page(service.get_host(db.session(), host))


def _host_page(found: Host, form: Any = None, status: int = 200) -> ResponseReturnValue:
    wanted = request.args.get("range", "1h")
    page = render_template(
        "monitor/host.html",
        host=found,
        config=service.shown_config(found),
        latest=snapshots.latest(found) or {},
        range=wanted if wanted in history.RANGES else "1h",
        ranges=list(history.RANGES),
        form=form or settings_of(found),
        may_edit=is_admin(),
    )
    return page, status


@blueprint.get("/hosts/<host>/history.json")
@for_watchers
def host_history(host: str) -> ResponseReturnValue:
    """A chart's data (``history.chart``) for ``?range=``, and the ``latest`` sample; 422 for an unknown range."""
    wanted = request.args.get("range", "1h")
    if wanted not in history.RANGES:
        raise MonitorError(f"The ranges are {', '.join(history.RANGES)}.")
    found = service.get_host(db.session(), host)
    return no_store({**history.chart(db.session(), found, wanted), "latest": snapshots.latest(found)})


# -- for admins


@blueprint.post("/hosts/<host>/settings")
@for_admins
def settings(host: str) -> ResponseReturnValue:
    """Save a host's settings and bring them to its agent; the page again (422) when they cannot be."""
    found = service.get_host(db.session(), host)
    form = settings_of(found)
    if not form.validate_on_submit():
        return _host_page(found, form, UNPROCESSABLE)
    try:
        service.edit_many(db.session(), [found], form.values())
        db.session.commit()
    except MonitorError as error:
        db.session.rollback()
        form.form_errors.append(str(error))
        return _host_page(service.get_host(db.session(), host), form, UNPROCESSABLE)
    state, text = push.push([host])[host]
    said = f"{text}." if state == "applied" else f"Saved. {text}."
    flash(said, "settings-error" if state == "refused" else "settings-success")  # shown beside the form
    return redirect(url_for("monitor.host", host=host) + "#saved")


@blueprint.route("/hosts/<host>/remove", methods=["POST"])
@for_admins
def remove(host: str) -> ResponseReturnValue:
    """Forget a host and its history, and end its agent's session: it may join again with a new token only."""
    found = service.get_host(db.session(), host)
    title = found.title
    db.session.delete(found)
    db.session.commit()
    push.cut_off(host)
    flash(f"{title} is removed.", "success")
    return redirect(url_for("monitor.dashboard"))


@blueprint.post("/alerts/<int:number>/acknowledge")
@for_admins
def acknowledge(number: int) -> ResponseReturnValue:
    """Say that somebody takes care of an alert."""
    alert = db.session.get(Alert, number)
    if alert is None:
        raise NotFound("There is no such alert.")
    alerts.acknowledge(alert, current_user.email)
    db.session.commit()
    if request.form.get("back") == "host":
        return redirect(url_for("monitor.host", host=alert.host.host))
    return redirect(url_for("monitor.dashboard"))


@blueprint.route("/hosts/add", methods=["GET", "POST"])
@for_admins
def add() -> ResponseReturnValue:
    """``monitor/add.html`` (form: TokenForm; ways: adding.Way, with a new token, or none; tokens, moment)."""
    form = TokenForm()
    text = None
    if form.validate_on_submit():
        _, text = service.make_token(
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
    response = Response(page, 200 if request.method == "GET" or text else UNPROCESSABLE)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/agent.py")
def agent_program() -> ResponseReturnValue:
    """The agent as one file, to be fetched by a host."""
    program = agent_file.archive()
    if program is None:
        abort(404, "The agent is not installed beside this site.")
    response = Response(program, mimetype="application/zip")
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    return response.make_conditional(request)
