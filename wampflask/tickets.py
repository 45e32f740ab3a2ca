"""Tickets on Flask's side: the secret, who is asking, ``/wamp/ticket`` for pages, and revocation.

A page fetches a ticket at each connect and joins the router with it; the router's plugin verifies it
(``plugin/tickets.py`` is the one definition for both sides). Everything is safe in any thread.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Protocol
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, after_this_request, current_app, jsonify, request
from itsdangerous import BadData, URLSafeSerializer

from ._files import locked, private, replace
from .caller import authid_of
from .keys import Keys
from .permissions import BACKEND
from .plugin import blocks, revocations
from .plugin.blocks import Block
from .plugin.file_cache import CachedFile
from .plugin.tickets import (
    ELSEWHERE,
    FORGED,
    Claim,
    TicketBlocked,
    TicketError,
    TicketExpired,
    TicketRevoked,
    Tickets,
    read_claims,
)

__all__ = [
    "Identity",
    "TicketBlocked",
    "TicketDesk",
    "TicketError",
    "TicketExpired",
    "TicketRevoked",
    "Tickets",
    "block",
    "blueprint",
    "ensure_key",
    "init_app",
    "prove",
    "revoke",
    "visitor_authid",
]

KEY_FILE = "ticket.key"
REVOKED_FILE = "revoked"
BLOCKED_FILE = "blocked"
VISITOR_COOKIE = "wampflask_visitor"
VISITOR_AGE = 400 * 24 * 3600  # seconds; browsers keep no cookie longer
PROOF_HEADER = "X-Wamp-Proof"

_EXTENSION = "wampflask_tickets"
_VISITOR = "wampflask.visitor"  # in the request's environment
_PROOF = "wampflask.proof"
_PROOFS_MAX = 8  # in one request
_COMPACT_SIZE = 65536  # bytes of the revocations file after which old lines are dropped


@dataclass(frozen=True, slots=True, init=False)
class Identity:
    """Who is asking: what their ticket will say. Asked for each ticket, so that claims are never older than a session.

    ``Identity("staff", current_user.id, team=[team.id for team in current_user.teams])``

    :param role: one of the app's roles.
    :param user: the id of a person who is logged in, of any kind, or a Flask-Login user.
    :param authid: in place of ``user``, for somebody else: ``visitor:9f…``, ``agent:web1``.
    :param claims: what ``{name}`` in a permission's URI stands for: a whole number, a word of ``[0-9a-z_]``, or a list
        of them, of which any will do.
    :raises ValueError: for an id or a claim that cannot stand in a ticket.
    """

    role: str
    authid: str
    claims: Mapping[str, Claim]

    def __init__(self, role: str, user: object = None, /, *, authid: str = "", **claims: object) -> None:
        if (user is None) == (not authid):
            raise ValueError('An Identity has the id of a user, or else authid="kind:name".')
        object.__setattr__(self, "role", role)
        object.__setattr__(self, "authid", authid or authid_of(user))
        object.__setattr__(self, "claims", read_claims(claims))


Identify = Callable[[], Identity | None]


class Pages(Protocol):
    """What is known of pages by their origin: see :mod:`wampflask.origins`."""

    def may_share(self, origin: str) -> bool: ...
    def refused(self, origin: str) -> None: ...
    def served(self, origin: str) -> None: ...


@dataclass(kw_only=True)
class TicketDesk:
    """The tickets of one app.

    :param identify: who asks in the current request; None there means a visitor.
    :param public_url: the router as browsers see it; "" for the request's host with ``port``.
    """

    tickets: Tickets
    instance: Path
    port: int = 8081
    public_url: str = ""
    identify: Identify | None = None
    pages: Pages | None = None

    def __post_init__(self) -> None:
        self._blocked: CachedFile[dict[str, Block]] = CachedFile(self.instance / BLOCKED_FILE, blocks.parse, {})
        self._reading = Lock()
        self.keys = Keys(self.instance)

    def block_of(self, authid: str) -> Block | None:
        """What keeps ``authid`` out now."""
        with self._reading:
            found = self._blocked.read().get(authid)
        return found if found and found.holds(time.time()) else None

    def mint_backend(self) -> str:
        """A ticket for this worker's own session. Any thread."""
        return self.tickets.mint(BACKEND, BACKEND)

    def whoever_asks(self) -> Identity:
        """The identity of the current request."""
        found = self.identify() if self.identify is not None else None
        return found or Identity("visitor", authid=visitor_authid())

    def url(self) -> str:
        """Where the page of the current request finds the router."""
        if self.public_url:
            return self.public_url
        host = urlsplit(request.host_url).hostname or "localhost"
        host = f"[{host}]" if ":" in host else host
        return f"{'wss' if request.is_secure else 'ws'}://{host}:{self.port}/ws"


blueprint = Blueprint("wamp", __name__)


def init_app(
    app: Flask,
    *,
    tickets: Tickets,
    port: int = 8081,
    public_url: str = "",
    identify: Identify | None = None,
    pages: Pages | None = None,
) -> TicketDesk:
    """Give ``app`` its desk and the route ``/wamp/ticket`` (endpoint ``wamp.ticket``)."""
    desk = TicketDesk(
        tickets=tickets,
        instance=Path(app.instance_path),
        port=port,
        public_url=public_url,
        identify=identify,
        pages=pages,
    )
    app.extensions[_EXTENSION] = desk
    app.register_blueprint(blueprint)
    _needs_no_form_token(app)
    app.before_request(lambda: _needs_no_form_token(app))  # before that of a CSRFProtect that is made after us
    return desk


def desk_of(app: Flask | None = None) -> TicketDesk:
    """The desk of ``app``, by default of the current one.

    :raises RuntimeError: when there is none.
    """
    found = (app or current_app).extensions.get(_EXTENSION)
    if not isinstance(found, TicketDesk):
        raise RuntimeError("This app has no tickets: call wamp.init_app(app) first.")  # noqa: TRY004 - not a type's fault
    return found


def ensure_key(instance: Path, secret: str = "") -> str:
    """The ticket secret of an instance folder; made at the first start, readable by its owner alone.

    :param secret: to be the key from now on, where a deployment sets one; the router reads it from the file.
    :raises OSError: when the folder cannot be written.
    """
    file = instance / KEY_FILE
    instance.mkdir(parents=True, exist_ok=True)
    if not secret and file.exists():
        return file.read_text(encoding="utf-8").strip()
    if not file.exists() or file.read_text(encoding="utf-8").strip() != secret:
        _write_key(file, secret or secrets.token_hex(32), replace=bool(secret))
    return file.read_text(encoding="utf-8").strip()


def _write_key(file: Path, secret: str, *, replace: bool) -> None:
    """Write whole or not at all; of two processes that start at once, the first one's key stays."""
    new = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(secret + "\n")
    try:
        if replace:
            new.replace(file)
        else:
            os.link(new, file)
    except FileExistsError:
        pass
    finally:
        new.unlink(missing_ok=True)


def revoke(file: Path, authid: str, *, lifetime: float, now: float | None = None) -> None:
    """Refuse every ticket that ``authid`` was given up to now. Safe in any thread and process.

    The router reads the file before each join. Sessions that have joined stay until they are killed
    (``wamp.revoke`` does both).

    :param file: ``<instance>/revoked``.       :param lifetime: of tickets, seconds; older lines are dropped.
    """
    moment = time.time() if now is None else now
    since = moment - lifetime - 3600

    def recent(text: str) -> list[str]:
        return [revocations.line(who, when) for who, when in revocations.parse(text).items() if when >= since]

    _append(file, revocations.line(authid, moment), recent)


def block(file: Path, authid: str, block: Block, *, now: float | None = None) -> None:
    """Refuse every ticket of ``authid`` while ``block`` holds. Safe in any thread and process.

    The router reads the file before each join, ``/wamp/ticket`` before each ticket. Sessions that have joined stay
    until they are killed (``wamp.block`` does both).

    :param file: ``<instance>/blocked``.
    """
    moment = time.time() if now is None else now

    def holding(text: str) -> list[str]:
        return [blocks.line(who, found) for who, found in blocks.parse(text).items() if found.holds(moment)]

    _append(file, blocks.line(authid, block), holding)


def _append(file: Path, line: str, keep: Callable[[str], Iterable[str]]) -> None:
    """Add a line; when the file has grown large, have ``keep`` say which lines still matter.

    Then it is replaced as a whole, so that its reader never sees half of it.
    """
    with locked(file), open(file, "a", encoding="utf-8", opener=private) as handle:
        handle.write(line)
        handle.flush()
        os.fsync(handle.fileno())
        if handle.tell() <= _COMPACT_SIZE:
            return
        replace(file, "".join(keep(file.read_text(encoding="utf-8"))))


def explain_refusal(reason: str, url: str) -> str:
    """Why the router at ``url`` refused a worker's ticket, and what to do.

    The router tells nobody what is wrong with a ticket; but a worker's own has nothing wrong with it.

    :param reason: what the router said: ``uri: text``.
    """
    key = "this app's WAMP_TICKET_SECRET is not the router's, which reads ticket.key in its own instance folder"
    address = f"the router takes no workers at {url}: use its unix socket as WAMP_URL, or start it with this WAMP_URL"
    remedies = {f"{TicketError.uri}: {FORGED}": key, f"{TicketError.uri}: {ELSEWHERE}": address}
    why = remedies.get(reason)
    if why is None and reason.startswith(TicketExpired.uri):
        why = "the clocks of this machine and the router's differ by more than WAMP_TICKET_LIFETIME"
    return f"{reason} ({why})" if why else reason


def visitor_authid() -> str:
    """The current visitor's authid, from a signed cookie that the response sets when it is not there yet."""
    known = request.environ.get(_VISITOR)
    if known is None:
        known = request.environ[_VISITOR] = _read_visitor() or _new_visitor()
    return str(known)


def _visitor_signer() -> URLSafeSerializer:
    return URLSafeSerializer(desk_of().tickets.derive(_VISITOR), salt=_VISITOR)


def _read_visitor() -> str | None:
    try:
        number = _visitor_signer().loads(request.cookies.get(VISITOR_COOKIE, ""))
    except BadData:
        return None
    return f"visitor:{number}"


def _new_visitor() -> str:
    number = secrets.token_hex(16)
    cookie = str(_visitor_signer().dumps(number))

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


def prove(**claims: object) -> str:
    """A proof that lets one page have ``claims`` in its tickets: for what belongs to a page and not to its reader.

    Hand it to the page, which keeps it in its memory and shows it with each request for a ticket (header
    ``X-Wamp-Proof``; ``connection.proofs`` of the browser's wrapper). To anybody but who asks now it is worthless.

    :raises ValueError: a claim is not one component of a URI, or a list of them.
    """
    found = read_claims(claims)
    return str(_proof_signer().dumps({"authid": desk_of().whoever_asks().authid, "claims": found}))


def _proof_signer() -> URLSafeSerializer:
    return URLSafeSerializer(desk_of().tickets.derive(_PROOF), salt=_PROOF)


def _proven(who: Identity) -> dict[str, Claim]:
    """The claims that the current request has proofs for; forged ones, and somebody else's, count for nothing."""
    claims: dict[str, Claim] = {}
    for text in request.headers.get(PROOF_HEADER, "").split(",")[:_PROOFS_MAX]:
        try:
            proof = _proof_signer().loads(text.strip())
        except BadData:
            continue
        if proof["authid"] == who.authid:
            claims |= proof["claims"]
    return claims


@blueprint.post("/wamp/ticket")
def ticket_for_program() -> Response:
    """A ticket for a program, for one connect: who has a key needs no cookie, and no page can send one."""
    desk = desk_of()
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    key = desk.keys.find(sent.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        response = jsonify(error=TicketError.uri, message="Send a key: Authorization: Bearer <key>.")
        response.status_code = 401
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    return _answer(desk, key.role, key.authid, key.uris, {})


def _needs_no_form_token(app: Flask) -> None:
    """No browser sends a key by itself, so Flask-WTF's protection, where there is some, has nothing to protect."""
    csrf = app.extensions.get("csrf")
    if csrf is not None:
        csrf.exempt(ticket_for_program)


@blueprint.get("/wamp/ticket")
def ticket() -> Response:
    """A ticket for whoever asks, for one connect; pages of other sites are refused."""
    desk = desk_of()
    page = request.headers.get("Origin") or request.host_url.rstrip("/")
    if not _is_same_origin() and not _shared_origin(desk):
        if desk.pages:
            desk.pages.refused(page)
        abort(403, "Tickets are for our own pages.")
    if desk.pages:
        desk.pages.served(page)
    who = desk.whoever_asks()
    return _answer(desk, who.role, who.authid, (), {**_proven(who), **who.claims})


def _answer(desk: TicketDesk, role: str, authid: str, scope: Sequence[str], claims: Mapping[str, Claim]) -> Response:
    if block := desk.block_of(authid):
        return _blocked(block)
    response = jsonify(
        ticket=desk.tickets.mint(role, authid, scope, **claims),
        authid=authid,
        role=role,
        realm=desk.tickets.realm,
        url=desk.url(),
    )
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(["Cookie", "Sec-Fetch-Site", "Origin"])
    return response


def _blocked(block: Block) -> Response:
    """The answer to somebody who is blocked: the browser client shows the message, and stops until then."""
    until = None if block.until is None else datetime.fromtimestamp(block.until, UTC).isoformat()
    response = jsonify(error=TicketBlocked.uri, message=block.reason or None, until=until)
    response.status_code = 403
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.after_request
def _let_read(response: Response) -> Response:
    """Let pages of ``WAMP_ORIGINS`` read the answer, and send cookies and proofs."""
    origin = _shared_origin(desk_of())
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Allow-Headers"] = PROOF_HEADER
        response.vary.add("Origin")
    return response


def _shared_origin(desk: TicketDesk) -> str | None:
    """The origin of a page elsewhere that may have tickets."""
    origin = request.headers.get("Origin")
    return origin if origin and desk.pages and desk.pages.may_share(origin) else None


def _is_same_origin() -> bool:
    """Whether the request comes from a page of ours, or from no page at all (typed, or a program's)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or origin.partition("://")[2] == request.host
