"""``/ops/``: what an operator sees. Each view's docstring names its template.

A further section has a view here with its template and a line in :data:`TABS`; its list is a fragment of ``live.py``.
"""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from wampflask import WampError, permissions
from wampflask.apps.access import for_admins
from wampflask.apps.extensions import wamp

from . import contract, live
from .forms import BlockForm

blueprint = Blueprint("ops", __name__, url_prefix="/ops")

TABS = (
    ("ops.overview", "Overview"),
    ("ops.sessions", "Sessions"),
    ("ops.procedures", "Procedures"),
    ("ops.topics", "Topics"),
    ("ops.workers", "Workers"),
    ("ops.jobs", "Jobs"),
    ("ops.tasks", "Tasks"),
    ("ops.errors", "Errors"),
    ("ops.blocks", "Blocks"),
    ("ops.tails", "Follow"),
    ("ops.try_it", "Try"),
)
TEXT_MAX = 100


blueprint.add_app_template_filter(contract.without_keys, "without_keys")
blueprint.add_app_template_filter(live.moment, "moment")


@blueprint.context_processor
def _tabs() -> dict[str, object]:
    return {"tabs": TABS}


@blueprint.get("/")
@for_admins
def overview() -> str:
    """Show ``ops/overview.html``."""
    return render_template("ops/overview.html")


@blueprint.get("/sessions")
@for_admins
def sessions() -> str:
    """Show ``ops/sessions.html``: filtered by ``?text=``, ``role=``, ``observed=`` (a topic's number)."""
    sort = request.args.get("sort", "since")
    query = {
        "text": _text("text"),
        "role": _text("role"),
        "observed": max(0, request.args.get("observed", 0, type=int)),
        "sort": sort if sort in live.SORTS else "since",
    }
    return render_template(
        "ops/sessions.html",
        query=query,
        page=_page(),
        sorts=live.SORTS,
        roles=(*wamp.roles.ticketed, permissions.BACKEND),
    )


@blueprint.get("/sessions/<int:number>")
@for_admins
def session(number: int) -> str:
    """Show ``ops/session.html``: one session with everything that it uses, and what can be done."""
    found = wamp.meta.session(number)
    if found is None:
        abort(404, "This session has ended.")
    return render_template(
        "ops/session.html",
        one=found,
        email=live.emails([found]).get(found.authid),
        block_form=BlockForm(formdata=None, authid=found.authid),
    )


@blueprint.get("/procedures")
@for_admins
def procedures() -> str:
    """Show ``ops/procedures.html``: filtered by ``?text=``, with the library's own for ``internal=1``."""
    return render_template("ops/procedures.html", query=_uris(), page=_page())


@blueprint.get("/topics")
@for_admins
def topics() -> str:
    """Show ``ops/topics.html``: as the procedures."""
    return render_template("ops/topics.html", query=_uris(), page=_page())


@blueprint.get("/workers")
@for_admins
def workers() -> str:
    """Show ``ops/workers.html``."""
    return render_template("ops/workers.html")


@blueprint.get("/jobs")
@for_admins
def jobs() -> str:
    """Show ``ops/jobs.html``."""
    return render_template("ops/jobs.html")


@blueprint.get("/tasks")
@for_admins
def tasks() -> str:
    """Show ``ops/tasks.html``: filtered by ``?queue=`` and ``state=``."""
    queues, state = [queue.name for queue in wamp.queues], _text("state")
    query = {
        "queue": _text("queue") if _text("queue") in queues else "",
        "state": state if state in live.STATES else "",
    }
    return render_template("ops/tasks.html", query=query, queues=queues, states=live.STATES)


@blueprint.get("/errors")
@for_admins
def errors() -> str:
    """Show ``ops/errors.html``: those with ``?id=`` in their id."""
    return render_template("ops/errors.html", number=_text("id"))


@blueprint.get("/blocks")
@for_admins
def blocks() -> str:
    """Show ``ops/blocks.html`` (blocked; form)."""
    return blocks_page(BlockForm(formdata=None))


def blocks_page(form: BlockForm) -> str:
    """Render the list of blocks with a form for a new one."""
    return render_template("ops/blocks.html", blocked=wamp.meta.blocks(), form=form)


@blueprint.get("/follow/<key>")
@for_admins
def tail(key: str) -> ResponseReturnValue:
    """Show ``ops/tail.html`` (key, uri, state): what has come of a topic so far; scripts add what follows."""
    try:
        state = wamp.call(contract.tail_uri(key))
    except WampError:
        abort(404, "This has ended. Begin to follow the topic again.")
    return render_template("ops/tail.html", key=key, uri=contract.tail_uri(key), state=state)


def _text(name: str) -> str:
    return "".join(filter(str.isprintable, request.args.get(name, ""))).strip()[:TEXT_MAX]


def _uris() -> dict[str, object]:
    return {"text": _text("text"), "internal": request.args.get("internal") == "1"}


def _page() -> int:
    return min(max(1, request.args.get("page", 1, type=int)), 10_000)
