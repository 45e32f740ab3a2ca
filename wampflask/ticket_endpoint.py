"""``/wamp/ticket``: where pages and programs fetch a ticket for each connect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, jsonify, request

from .identity import Identify
from .plugin.blocks import Block
from .plugin.tickets import Claim, TicketBlocked, TicketError, Tickets
from .proofs import PROOF_HEADER, proven
from .tickets import EXTENSION, Pages, TicketIssuer, issuer_of

blueprint = Blueprint("wamp", __name__)


def init_app(
    app: Flask,
    *,
    tickets: Tickets,
    port: int = 8081,
    public_url: str = "",
    identify: Identify | None = None,
    pages: Pages | None = None,
) -> TicketIssuer:
    """Give ``app`` its issuer and the route ``/wamp/ticket`` (endpoint ``wamp.ticket``)."""
    issuer = TicketIssuer(
        tickets=tickets,
        instance=Path(app.instance_path),
        port=port,
        public_url=public_url,
        identify=identify,
        pages=pages,
    )
    app.extensions[EXTENSION] = issuer
    app.register_blueprint(blueprint)
    _needs_no_form_token(app)
    app.before_request(lambda: _needs_no_form_token(app))  # before that of a CSRFProtect that is made after us
    return issuer


@blueprint.post("/wamp/ticket")
def ticket_for_program() -> Response:
    """Return a ticket for a program, for one connect: it has a key and no cookie, and no page can send a key."""
    issuer = issuer_of()
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    key = issuer.keys.find(sent.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        response = jsonify(error=TicketError.uri, message="Send a key: Authorization: Bearer <key>.")
        response.status_code = 401
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    return answer(issuer, key.role, key.authid, key.uris, {})


def _needs_no_form_token(app: Flask) -> None:
    """No browser sends a key by itself, so Flask-WTF's protection, where there is some, has nothing to protect."""
    csrf = app.extensions.get("csrf")
    if csrf is not None:
        csrf.exempt(ticket_for_program)


@blueprint.get("/wamp/ticket")
def ticket() -> Response:
    """Return a ticket for the person who asks, for one connect; pages of other sites are refused."""
    issuer = issuer_of()
    page = request.headers.get("Origin") or request.host_url.rstrip("/")
    if not _is_same_origin() and not _shared_origin(issuer):
        if issuer.pages:
            issuer.pages.refused(page)
        abort(403, "Tickets are for our own pages.")
    if issuer.pages:
        issuer.pages.served(page)
    who = issuer.current_identity()
    return answer(issuer, who.role, who.authid, (), {**proven(who), **who.claims})


def answer(issuer: TicketIssuer, role: str, authid: str, scope: Sequence[str], claims: Mapping[str, Claim]) -> Response:
    """Return the answer with a ticket for somebody, or with what keeps them out."""
    if block := issuer.block_of(authid):
        return _blocked(block)
    response = jsonify(
        ticket=issuer.tickets.mint(role, authid, scope, **claims),
        authid=authid,
        role=role,
        realm=issuer.tickets.realm,
        url=issuer.url(),
    )
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(["Cookie", "Sec-Fetch-Site", "Origin"])
    return response


def _blocked(block: Block) -> Response:
    """Return the answer to somebody who is blocked: the browser client shows the message, and stops until then."""
    until = None if block.until is None else datetime.fromtimestamp(block.until, UTC).isoformat()
    response = jsonify(error=TicketBlocked.uri, message=block.reason or None, until=until)
    response.status_code = 403
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.after_request
def _let_read(response: Response) -> Response:
    """Let pages of ``WAMP_ORIGINS`` read the answer, and send cookies and proofs."""
    origin = _shared_origin(issuer_of())
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Allow-Headers"] = PROOF_HEADER
        response.vary.add("Origin")
    return response


def _shared_origin(issuer: TicketIssuer) -> str | None:
    """Return the origin of a page elsewhere that may have tickets."""
    origin = request.headers.get("Origin")
    return origin if origin and issuer.pages and issuer.pages.may_share(origin) else None


def _is_same_origin() -> bool:
    """Return whether the request comes from the app's own page, or from no page at all (typed, or a program's)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or origin.partition("://")[2] == request.host
