"""Failed log-ins are limited: for each address, and for each account from anywhere.

Counted in the memory of each worker process, so n workers allow n times ``WAMPFLASK_LOGIN_ATTEMPTS``; hashing
(argon2) makes each attempt cost. A front proxy can limit more exactly.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from flask_limiter.util import get_remote_address
from flask_security import current_user

from wampflask.apps.extensions import limiter

_LIMITED = ("security.login", "security.change_password")


def init_app(app: Flask) -> None:
    """Limit the POSTs of the pages that take a password."""
    rate = app.extensions["site"].login_attempts
    for endpoint in _LIMITED:
        view: Any = app.view_functions[endpoint]
        for key in (get_remote_address, _account):
            view = limiter.limit(rate, key_func=key, methods=["POST"], deduct_when=_has_failed)(view)
        app.view_functions[endpoint] = view


def _account() -> str:
    if current_user.is_authenticated:
        return str(current_user.authid)
    return "account:" + request.form.get("email", "").strip().lower()[:255]


def _has_failed(response: Response) -> bool:
    """Flask-Security answers a right password with a redirect."""
    return response.status_code == HTTPStatus.OK
