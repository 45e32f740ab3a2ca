"""Connects log-ins with WAMP: whose ticket a page gets, and who ``current_user`` is in a handler."""

from __future__ import annotations

from flask import current_app
from flask_security import current_user

from wampflask import Identity
from wampflask.apps.actor import ADMIN
from wampflask.apps.extensions import db

from .models import User


def identify() -> Identity | None:
    """Return whom the current request's ticket is for; None for a visitor."""
    if not current_user.is_authenticated:
        return None
    return Identity("admin" if current_user.has_role(ADMIN) else "user", authid=current_user.authid)


def load(user_id: str) -> User | None:
    """Return who ``current_user`` is in a handler; None for a user who was deactivated since they got their ticket."""
    user = db.session.get(User, int(user_id)) if user_id.isdecimal() else None
    if user is None or not user.active:
        current_app.logger.info("A handler was called by the user %s, who is not active", user_id)
        return None
    return user
