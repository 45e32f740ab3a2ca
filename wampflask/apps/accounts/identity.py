"""Who is asking: on pages, in tickets, as a voter, and inside WAMP handlers. One answer for all of them."""

from __future__ import annotations

from flask import Flask, Request, current_app
from flask_security import current_user

from wampflask import caller
from wampflask.apps.extensions import db
from wampflask.caller import current_caller
from wampflask.tickets import Identity

from .models import User
from .service import ADMIN

_PREFIX = "user:"


def init_app(app: Flask) -> None:
    """Let ``current_user`` be the caller inside WAMP handlers."""
    app.login_manager.request_loader(load_caller)  # type: ignore[attr-defined]


def identify() -> Identity | None:
    """Whom the current request's ticket is for; None means a visitor."""
    if not current_user.is_authenticated:
        return None
    return Identity("admin" if current_user.has_role(ADMIN) else "user", current_user.authid)


def load_caller(_request: Request) -> User | None:
    """The user who called the procedure that this thread handles; None on pages, and for visitors.

    Somebody deactivated since their ticket was made is nobody.
    """
    if current_caller.get(None) is None:
        return None
    authid = caller.authid or ""
    number = authid.removeprefix(_PREFIX)
    if not authid.startswith(_PREFIX) or not number.isdecimal():
        return None
    user = db.session.get(User, int(number))
    if user is None or not user.active:
        current_app.logger.info("A handler was called by %s, who is not active", authid)
        return None
    return user
