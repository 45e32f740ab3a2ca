"""Who is asking: on pages, in tickets, as a voter, and inside WAMP handlers. One answer for all of them."""

from __future__ import annotations

from flask import current_app
from flask_security import current_user

from wampflask import Identity
from wampflask.apps.extensions import db

from .models import User
from .service import ADMIN


def identify() -> Identity | None:
    """Whom the current request's ticket is for; None means a visitor."""
    if not current_user.is_authenticated:
        return None
    return Identity("admin" if current_user.has_role(ADMIN) else "user", authid=current_user.authid)


def load(user_id: str) -> User | None:
    """Who ``current_user`` is in a handler. Somebody deactivated since their ticket was made is nobody."""
    user = db.session.get(User, int(user_id)) if user_id.isdecimal() else None
    if user is None or not user.active:
        current_app.logger.info("A handler was called by the user %s, who is not active", user_id)
        return None
    return user
