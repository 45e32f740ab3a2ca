"""Who may see a page. What is not for everybody is marked as private."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import abort, current_app
from flask.typing import ResponseReturnValue
from flask_security import current_user

from . import resend
from .headers import mark_private

View = Callable[..., ResponseReturnValue]


def is_admin() -> bool:
    """Whether the page's reader may do everything."""
    return bool(current_user.is_authenticated and current_user.has_role("admin"))


def for_admins(view: View) -> View:
    """Decorator: others are sent to log in, or told that they may not."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        mark_private()
        return view(*args, **kwargs) if is_admin() else refuse()

    return guarded


def refuse() -> ResponseReturnValue:
    """To the log-in page, and back afterwards; a plain no (403) for those who are logged in already.

    What was written is kept: that page is shown with it, and the log-in opens beside it.
    """
    if current_user.is_authenticated:
        abort(403)
    if (kept := resend.log_in_first()) is not None:
        return kept
    answer: ResponseReturnValue = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    return answer
