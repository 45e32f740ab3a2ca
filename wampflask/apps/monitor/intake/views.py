"""``POST /clients/``: an agent enrols or returns, and gets its configuration and a ticket for the router."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, make_response, request

from wampflask.apps.extensions import csrf, db, limiter
from wampflask.apps.headers import no_store
from wampflask.apps.monitor import contract
from wampflask.apps.monitor.settings.service import config_of
from wampflask.tickets import issuer_of

from . import enrolment

blueprint = Blueprint("clients", __name__)

BODY_MAX = 8192
"""Bytes of a request."""
FAILURES = "30 per minute"
"""Failed requests that one address may make."""


def _was_refused(response: Response) -> bool:
    return response.status_code in (400, 401, 403)


@blueprint.post("/clients/")
@csrf.exempt  # type: ignore[untyped-decorator]
@limiter.limit(FAILURES, deduct_when=_was_refused)
def clients() -> Response:
    """Answer ``contract.Enrolment`` with ``contract.Enrolled``, or with 4xx and the reason; all of it is JSON."""
    if (request.content_length or 0) > BODY_MAX:
        return _refuse(enrolment.Refused(413, "invalid", f"The body must have at most {BODY_MAX} bytes."))
    session = db.session()
    try:
        host, is_new = enrolment.enrol(session, request.get_json(silent=True), _bearer())
        session.commit()
    except enrolment.Refused as refusal:
        session.rollback()
        return _refuse(refusal)
    issuer = issuer_of()
    answer = {
        **config_of(host),
        "host": host.host,
        "name": host.title,
        "labels": host.label_list,
        "ticket": issuer.tickets.mint(contract.ROLE, contract.authid(host.host), host=host.host),
        "url": issuer.url(),
        "realm": issuer.tickets.realm,
    }
    return no_store(make_response(jsonify(answer), 201 if is_new else 200))


def _bearer() -> str:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip()[:200] if kind.lower() == "bearer" else ""


def _refuse(refusal: enrolment.Refused) -> Response:
    return make_response(jsonify(error=refusal.code, reason=str(refusal)), refusal.status)
