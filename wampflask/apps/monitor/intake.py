"""``POST /clients/``: an agent enrols, or comes back, and gets its configuration and a ticket for the router."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, make_response, request

from wampflask.apps.extensions import csrf, db, limiter
from wampflask.tickets import desk_of

from . import contract, service

blueprint = Blueprint("clients", __name__)

BODY_MAX = 8192
"""Bytes of a request."""
FAILURES = "30 per minute"
"""Refused requests that one address may make."""


def _was_refused(response: Response) -> bool:
    return response.status_code in (400, 401, 403)


@blueprint.post("/clients/")
@csrf.exempt  # type: ignore[untyped-decorator]
@limiter.limit(FAILURES, deduct_when=_was_refused)
def clients() -> Response:
    """JSON in, JSON out: see ``contract.Enrolment`` and ``contract.Enrolled``. Refused: 4xx with the reason."""
    if (request.content_length or 0) > BODY_MAX:
        return _refuse(service.Refused(413, "invalid", f"The body has more than {BODY_MAX} bytes."))
    session = db.session()
    try:
        host, is_new = service.enrol(session, request.get_json(silent=True), _bearer())
        session.commit()
    except service.Refused as refusal:
        session.rollback()
        return _refuse(refusal)
    desk = desk_of()
    answer = {
        **service.config_of(host),
        "host": host.host,
        "name": host.title,
        "labels": host.label_list,
        "ticket": desk.tickets.mint(contract.ROLE, contract.authid(host.host), host=host.host),
        "url": desk.url(),
        "realm": desk.tickets.realm,
    }
    response = make_response(jsonify(answer), 201 if is_new else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


def _bearer() -> str:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip()[:200] if kind.lower() == "bearer" else ""


def _refuse(refusal: service.Refused) -> Response:
    return make_response(jsonify(error=refusal.code, reason=str(refusal)), refusal.status)
