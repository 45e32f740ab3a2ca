"""Enrolment: a token lets a new host in, a key of its own lets it in again. Knows neither Flask nor WAMP."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from wampflask.apps import wire
from wampflask.apps.db import now
from wampflask.apps.errors import Invalid, SiteError
from wampflask.apps.monitor.models import NAME_MAX, Host
from wampflask.apps.text import one_line

from .models import EnrolToken

TOKEN_LIFETIME = timedelta(days=1)
HOST_ID = re.compile(r"[0-9a-f]{32}")
KEY = re.compile(r"[0-9a-f]{64}")
_REMEDY = "An admin can create one on the page “Add a host”."
REQUEST_TEXTS = {"name": NAME_MAX, "ip": 64, "agent": 40, "python": 40, "system": NAME_MAX}


class Refused(SiteError):
    """An enrolment that is refused: see :class:`contract.Refusal`."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code


def make_token(
    session: Session, *, note: str = "", reusable: bool = False, lifetime: timedelta = TOKEN_LIFETIME
) -> tuple[EnrolToken, str]:
    """Return a new token and its text, which is stored nowhere and cannot be shown again."""
    text = secrets.token_hex(24)  # URL-safe text can begin with a dash, which a command line takes for an option
    token = EnrolToken(
        token_hash=digest(text),
        hint=text[:6],
        note=one_line(note, NAME_MAX),
        reusable=reusable,
        expires_at=now() + lifetime,
    )
    session.add(token)
    session.flush()
    return token, text


def digest(secret: str) -> str:
    """Return the hash of a secret; a fast one is enough, since secrets are long and random."""
    return hashlib.sha256(secret.encode()).hexdigest()


def enrol(session: Session, data: object, token_text: str = "") -> tuple[Host, bool]:
    """Return the host that asks, and whether it is new.

    :param data: the JSON of the request.
    :param token_text: from the request's header, if not in ``data``.
    :raises Refused: nothing is created then.
    """
    request = _read_request(data)
    host = session.scalar(select(Host).where(Host.host == request["host"]).with_for_update())
    if host is None:
        _spend(session, request.get("token") or token_text)
        host = Host(host=request["host"], key_hash=digest(request["key"]))
        session.add(host)
        is_new = True
    else:
        is_new = False
        if not secrets.compare_digest(host.key_hash, digest(request["key"])):
            raise Refused(
                403,
                "key_wrong",
                "Another agent enrolled with this host id. Delete this agent's folder to enrol as a new host.",
            )
        if host.revoked:
            raise Refused(403, "host_revoked", "An admin blocked this host.")
    for field, value in _facts(request).items():
        if getattr(host, field) != value:
            setattr(host, field, value)
    session.flush()
    return host, is_new


def _read_request(data: object) -> dict[str, str]:
    try:
        given = wire.fields(data, "The body")
        found = {field: wire.text(given.get(field), field) for field in ("host", "key")}
        for field, longest in (*REQUEST_TEXTS.items(), ("token", 200)):
            found[field] = one_line(wire.text(given.get(field, ""), field), longest)
    except Invalid as error:
        raise Refused(400, "invalid", str(error)) from None
    for field, pattern, digits in (("host", HOST_ID, 32), ("key", KEY, 64)):
        if not pattern.fullmatch(found[field]):
            raise Refused(400, "invalid", f"{field} must be {digits} lower-case hex digits.")
    return found


def _facts(request: dict[str, str]) -> dict[str, str]:
    return {
        "reported_name": request["name"],
        "ip": request["ip"],
        "agent_version": request["agent"],
        "system": request["system"],
    }


def _spend(session: Session, text: str) -> None:
    """Use a token once, atomically."""
    if not text:
        raise Refused(
            401,
            "token_missing",
            "This host is not known here. Start its agent with a token; admins create tokens on “Add a host”.",
        )
    token = session.scalar(select(EnrolToken).where(EnrolToken.token_hash == digest(text)))
    if token is None:
        raise Refused(403, "token_invalid", f"There is no such token. {_REMEDY}")
    if token.revoked:
        raise Refused(403, "token_revoked", f"This token was revoked. {_REMEDY}")
    if token.expires_at <= now():
        raise Refused(403, "token_expired", f"This token has expired. {_REMEDY}")
    taking = (
        update(EnrolToken)
        .where(EnrolToken.id == token.id, or_(EnrolToken.reusable, EnrolToken.uses == 0))
        .values(uses=EnrolToken.uses + 1)
        .returning(EnrolToken.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(taking) is None:
        raise Refused(403, "token_used", f"This token was for one host and has been used. {_REMEDY}")
