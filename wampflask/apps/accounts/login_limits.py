"""Limits wrong passwords: for one account from one address, and for that address in all.

An account is never locked: guessing is slowed down at its address, and the owner logs in from another as always.
Attempts are counted before the password is checked, so that parallel ones count, too; a right password is not counted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, make_response, request
from flask_security import current_user
from limits import RateLimitItem
from werkzeug.exceptions import TooManyRequests

from wampflask.apps.config import KEYS
from wampflask.apps.errors import Invalid
from wampflask.apps.extensions import limiter, wamp
from wampflask.apps.headers import ACCOUNTS
from wampflask.apps.network import client_network
from wampflask.apps.rates import read_rates

from .service import normal_email

BEHIND_ONE_ADDRESS = 5
"""Times the attempts for one account that an address has in all: several people may share it."""

_LOG_IN = "security.login"
_JUDGES_NOTHING = "security.logout"
_TOO_MANY = "Too many wrong passwords. Try again in %s."

_ATTEMPTS = wamp.settings.declare(
    "accounts.login_attempts",
    KEYS["WAMPFLASK_LOGIN_ATTEMPTS"],
    read=read_rates,
    key="WAMPFLASK_LOGIN_ATTEMPTS",
    help="Wrong passwords for an account from one address; for all accounts an address has five times as many.",
)

View = Callable[..., Any]


def init_app(app: Flask) -> None:
    """Limit the POSTs of every page that takes a password: Flask-Security's, but the log-out."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(f"{ACCOUNTS}.") and rule.endpoint != _JUDGES_NOTHING:
            app.view_functions[rule.endpoint] = _limited(app.view_functions[rule.endpoint])


def _limited(view: View) -> View:
    @wraps(view)
    def judge(*args: Any, **kwargs: Any) -> Any:
        if request.method != "POST":
            return view(*args, **kwargs)
        limits = _ATTEMPTS.value
        here = client_network()
        account = ("password", here, _account())
        _count(limits, account)
        _count([_many(limit) for limit in limits], ("passwords", here))
        is_judged = current_user.is_authenticated == (request.endpoint != _LOG_IN)
        response = make_response(view(*args, **kwargs))
        if is_judged and _was_right(response):
            for limit in limits:
                limiter.limiter.clear(limit, *account)
        return response

    return judge


def _count(limits: Sequence[RateLimitItem], key: Sequence[str]) -> None:
    """Count an attempt.

    :raises TooManyRequests: it was one too many; the message has the time to wait.
    """
    counts = limiter.limiter
    exceeded = [limit for limit in limits if not counts.hit(limit, *key)]
    if exceeded:
        end = max(counts.get_window_stats(limit, *key).reset_time for limit in exceeded)
        seconds = max(1, math.ceil(end - time.time()))
        raise TooManyRequests(_TOO_MANY % _duration(seconds), retry_after=seconds)


def _many(limit: RateLimitItem) -> RateLimitItem:
    return type(limit)(limit.amount * BEHIND_ONE_ADDRESS, limit.multiples, limit.namespace)


def _duration(seconds: int) -> str:
    minutes = math.ceil(seconds / 60)
    if minutes == 1:
        return f"{seconds} second{'s' * (seconds != 1)}"
    return f"{minutes} minutes"


def _account() -> str:
    """Return whose password is tried, however the email address is written, in a form or in JSON."""
    if current_user.is_authenticated:
        return str(current_user.authid)
    typed = (request.get_json() if request.is_json else request.form).get("email", "")
    try:
        typed = normal_email(typed)
    except Invalid:
        typed = typed.strip()
    return typed.casefold()


def _was_right(response: Response) -> bool:
    """Return whether the password was right.

    Then someone is logged in, and Flask-Security answers with a redirect, or with status 200 in JSON.
    """
    is_json = response.is_json and response.status_code == HTTPStatus.OK
    return (is_json or response.status_code == HTTPStatus.FOUND) and current_user.is_authenticated
