"""Who asks, and who may see a page. A page that is not for everyone is marked as private."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import abort, current_app
from flask.typing import ResponseReturnValue
from flask_security import current_user

from wampflask import NotAuthorized, caller
from wampflask.caller import current_caller
from wampflask.tickets import visitor_authid

from . import resend
from .actor import SITE, Actor
from .headers import mark_private

View = Callable[..., ResponseReturnValue]


def current_actor() -> Actor:
    """Return who asks: in a procedure its caller, in a view the user, or the visitor by the signed cookie.

    :raises NotAuthorized: the caller's account was deactivated, or does not exist any more.
    """
    if current_user.is_authenticated:
        return Actor(current_user.authid, frozenset(role.name for role in current_user.roles), current_user.email)
    if current_caller.get(None) is None:
        return Actor(visitor_authid())
    kind = (caller.authid or "").partition(":")[0]
    if kind == "user":
        raise NotAuthorized("This account is deactivated.")
    return Actor(str(caller.authid) if kind in ("visitor", "agent", "key", SITE) else "")


def is_user() -> bool:
    """Return whether who asks is logged in."""
    return bool(current_user.is_authenticated)


def is_admin() -> bool:
    """Return whether who asks may do everything."""
    return bool(current_user.is_authenticated and current_user.has_role("admin"))


def for_admins(view: View) -> View:
    """Decorator: visitors are sent to log in, users get a 403."""
    return _guarded(view, is_admin)


def for_users(view: View) -> View:
    """Decorator: visitors are sent to log in."""
    return _guarded(view, is_user)


def _guarded(view: View, may_see: Callable[[], bool]) -> View:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        mark_private()
        return view(*args, **kwargs) if may_see() else refuse()

    return guarded


def refuse() -> ResponseReturnValue:
    """Send visitors to the log-in page, and back afterwards; answer users with a 403.

    What a visitor has typed is kept: the page shows it again, with a link that opens the log-in beside it.
    """
    if current_user.is_authenticated:
        abort(403)
    if (kept := resend.log_in_first()) is not None:
        return kept
    answer: ResponseReturnValue = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    return answer
