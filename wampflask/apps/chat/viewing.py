"""Who is asking: on a page, and in a handler."""

from __future__ import annotations

from flask import current_app
from flask_security import current_user
from limits import parse

from wampflask import NotAuthorized, caller
from wampflask.tickets import visitor_authid

from .people import Who
from .service import Rate

MODERATORS = ("moderator", "admin")


def reader() -> Who:
    """Of the current request: a user, or a visitor by the signed cookie."""
    return _user() or Who(visitor_authid())


def calling() -> Who:
    """Of the procedure that this thread handles.

    :raises NotAuthorized: an account that was shut out, or no page at all.
    """
    user = _user()
    if user is not None:
        return user
    if not (caller.authid or "").startswith("visitor:"):
        raise NotAuthorized("Chat is for people with a page.")
    return Who(str(caller.authid))


def rate() -> Rate:
    """How much one person may say (``WAMPFLASK_CHAT_RATE``)."""
    limit = parse(current_app.extensions["site"].chat_rate)
    return Rate(limit.amount, float(limit.get_expiry()))


def _user() -> Who | None:
    if not current_user.is_authenticated:
        return None
    moderates = any(current_user.has_role(role) for role in MODERATORS)
    return Who(current_user.authid, moderator=moderates, address=current_user.email)
