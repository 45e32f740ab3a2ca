"""``/healthz``: for supervisors and load balancers. 200 when pages, database and router work, else 503."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify, make_response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from .extensions import db, limiter, wamp

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@limiter.exempt
def healthz() -> Response:
    """JSON ``{"database": "ok", "wamp": "ready"}``; never says more to strangers than these words."""
    state = {"database": _database(), "wamp": wamp.status.state.value}
    healthy = state["database"] == "ok" and wamp.status.ready
    response = make_response(jsonify(state), 200 if healthy else 503)
    response.headers["Cache-Control"] = "no-store"
    return response


def _database() -> str:
    try:
        db.session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    except SQLAlchemyError as error:
        current_app.logger.warning("The database does not answer: %s", error)
        return "unavailable"
    return "ok"
