"""Tasks on pages: ``{{ task_progress(task) }}``, and the form of its Cancel button. Works without JavaScript."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, redirect, request
from flask.typing import ResponseReturnValue

from ._current import current_client

if TYPE_CHECKING:
    from markupsafe import Markup

blueprint = Blueprint("wamp_tasks", __name__, template_folder="page_templates")


def init_app(app: Flask) -> None:
    """Give ``app`` the route ``/wamp/tasks/<id>/cancel`` and the templates' function ``task_progress``."""
    app.register_blueprint(blueprint)
    app.jinja_env.globals["task_progress"] = task_progress


def task_progress(task: Any, *, cancel: bool = True) -> Markup:
    """Return the bar and the words of a task, kept true, for the page that is being rendered.

    :param task: a task, or its id, which the page then has: everyone who sees the page may cancel the task.
    :param cancel: with a button for that.
    """
    from .tasks import Queues  # SQLAlchemy is there only where this is used

    return Queues.of(current_client().declarations).fragment.render(task=getattr(task, "id", task), cancel=cancel)


@blueprint.post("/wamp/tasks/<task>/cancel")
def cancel(task: str) -> ResponseReturnValue:
    """Cancel a task, and go back to the page with the button. Who knows the id may."""
    try:
        from .tasks import cancel as cancel_task
    except ModuleNotFoundError:
        abort(404)
    cancel_task(task)
    before = urlsplit(request.referrer or "")
    if before.netloc != request.host:
        return Response("Cancelled.", mimetype="text/plain")
    query = f"?{before.query}" if before.query else ""
    return redirect(f"/{before.path.lstrip('/')}{query}", HTTPStatus.SEE_OTHER)
