"""Who looks at a page of polls."""

from __future__ import annotations

from flask_security import current_user

from wampflask.apps.guard import is_admin
from wampflask.tickets import visitor_authid

from .service import Viewer


def current_viewer() -> Viewer:
    """The reader: a user, or a visitor by the signed cookie that this response sets at the latest."""
    voter = current_user.authid if current_user.is_authenticated else visitor_authid()
    return Viewer(voter, is_admin=is_admin())
