"""``/healthz``: for supervisors and load balancers. 200 when pages, database and router work, else 503.

The database works when it can be written. That is asked without writing: by the room its folder has, and by a deletion
of nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from flask import Blueprint, Response, current_app, jsonify, make_response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from wampflask.reading import writing

from .extensions import db, limiter, wamp
from .headers import no_store

PATIENCE = 1.0
"""Seconds that the router has to answer."""
ROOM = 16 * 2**20
"""Bytes that must be free beside SQLite's file: its write-ahead log takes 4 MiB before it is copied into it."""

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@limiter.exempt
def healthz() -> Response:
    """Return JSON: ``{"database": "ok", "wamp": "ready"}``, or which of them is not ready; nothing else.

    :``database``: ``ok``, ``full`` (its disk), ``read-only``, or ``unavailable``.
    :``wamp``: ``ready`` when a call went through the router to this worker and back; ``silent`` when it did not within
        :data:`PATIENCE`; or the connection's state.
    """
    state = {"database": database_state(), "wamp": _way_through_the_router()}
    healthy = state == {"database": "ok", "wamp": "ready"}
    return no_store(make_response(jsonify(state), 200 if healthy else 503))


def _way_through_the_router() -> str:
    if not wamp.status.ready:
        return wamp.status.state.value
    found = wamp.meta.health(PATIENCE)
    if not found.ok:
        current_app.logger.warning("No way through the router: %s", found.problem)
    return "ready" if found.ok else "silent"


def database_state() -> str:
    """Return ``ok``, or what is wrong with the database: see :func:`healthz`."""
    try:
        with writing():
            db.session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
            db.session.execute(text("DELETE FROM alembic_version WHERE 1 = 0"))
    except SQLAlchemyError as error:
        current_app.logger.warning("The database cannot be used: %s", error)
        return "read-only" if re.search("read-?only", str(error)) else "unavailable"
    finally:
        db.session.rollback()
    if (free := _free()) < ROOM:
        current_app.logger.warning("The disk of the database is full: %d bytes are free", free)
        return "full"
    return "ok"


def _free() -> int:
    """Return the bytes that SQLite can still write; other databases look after their disks."""
    url = db.engine.url
    folder = Path(url.database or "").parent
    if url.get_backend_name() != "sqlite" or not folder.is_dir():
        return ROOM
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
