"""People who are not logged in: a signed cookie has the authid of each."""

from __future__ import annotations

import secrets

from flask import Response, after_this_request, current_app, request
from itsdangerous import BadData, URLSafeSerializer

from .plugin.tickets import Tickets

VISITOR_COOKIE = "wampflask_visitor"
VISITOR_AGE = 400 * 24 * 3600  # seconds; browsers keep no cookie longer

_VISITOR = "wampflask.visitor"  # in the request's environment


def visitor_authid(tickets: Tickets) -> str:
    """Return the current visitor's authid; the response sets the cookie when it is not there yet.

    :param tickets: whose secret signs the cookie.
    """
    known = request.environ.get(_VISITOR)
    if known is None:
        known = request.environ[_VISITOR] = _read_visitor(tickets) or _new_visitor(tickets)
    return str(known)


def _signer(tickets: Tickets) -> URLSafeSerializer:
    return URLSafeSerializer(tickets.derive(_VISITOR), salt=_VISITOR)


def _read_visitor(tickets: Tickets) -> str | None:
    try:
        number = _signer(tickets).loads(request.cookies.get(VISITOR_COOKIE, ""))
    except BadData:
        return None
    return f"visitor:{number}"


def _new_visitor(tickets: Tickets) -> str:
    number = secrets.token_hex(16)
    cookie = str(_signer(tickets).dumps(number))

    @after_this_request
    def remember(response: Response) -> Response:
        response.set_cookie(
            VISITOR_COOKIE,
            cookie,
            max_age=VISITOR_AGE,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure or bool(current_app.config.get("SESSION_COOKIE_SECURE")),
        )
        response.vary.add("Cookie")
        return response

    return f"visitor:{number}"
