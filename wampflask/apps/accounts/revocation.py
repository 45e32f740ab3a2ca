"""Ends a user's live sessions at log-out, and when password, state, roles or the account itself change.

Watched on the models, so it holds for pages, the admin and commands alike; done after the commit.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, has_app_context
from flask_login import user_logged_out
from flask_sqlalchemy.session import Session
from sqlalchemy import event, inspect
from sqlalchemy.orm import UOWTransaction

from wampflask import WampError
from wampflask.apps.extensions import db, wamp
from wampflask.transactions import when_committed

from .models import User
from .service import end_logins

_WATCHED = ("fs_uniquifier", "password", "active", "roles")


def init_app(app: Flask) -> None:
    """Watch log-outs; model changes are watched from the import on."""
    user_logged_out.connect(_logged_out, app)


def revoke(authid: str) -> None:
    """End the live sessions of ``authid`` and refuse its tickets.

    A log-out must succeed whatever the router does: what goes wrong is logged.
    """
    try:
        wamp.revoke(authid)
    except (WampError, OSError) as error:
        current_app.logger.warning("The sessions of %s were not ended: %s", authid, error)


def _logged_out(_app: Flask, user: User, **_more: Any) -> None:
    """End every log-in of the user at a log-out, so that copies of the cookie are worthless, too."""
    end_logins(user)
    db.session.commit()


@event.listens_for(Session, "after_flush")
def _after_flush(session: Session, _context: UOWTransaction) -> None:
    gone = [user for user in session.deleted if isinstance(user, User)]
    changed = [user for user in session.dirty if isinstance(user, User) and _has_lost_trust(user)]
    if not has_app_context():
        return
    for authid in {user.authid for user in (*gone, *changed)}:
        when_committed(session, lambda authid=authid: revoke(authid))  # type: ignore[misc]


def _has_lost_trust(user: User) -> bool:
    attributes = inspect(user).attrs
    return any(attributes[name].history.has_changes() for name in _WATCHED)
