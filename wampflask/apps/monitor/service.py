"""Hosts: who may join, what they are told to do, and how they are shown. Knows neither HTTP nor WAMP."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, defer

from wampflask.apps import wire
from wampflask.apps.db import now
from wampflask.apps.errors import Invalid, NotFound, SiteError
from wampflask.apps.text import one_line

from . import contract
from .models import CONFIG_FIELDS, NAME_MAX, SWITCHES, EnrolToken, Host

TOKEN_LIFETIME = timedelta(days=1)
HOST_ID = re.compile(r"[0-9a-f]{32}")
KEY = re.compile(r"[0-9a-f]{64}")
REQUEST_TEXTS = {"name": NAME_MAX, "ip": 64, "agent": 40, "python": 40, "system": NAME_MAX}


class Refused(SiteError):
    """An enrolment that is refused: see :class:`contract.Refusal`."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code


# -- enrolment


def make_token(
    session: Session, *, note: str = "", reusable: bool = False, lifetime: timedelta = TOKEN_LIFETIME
) -> tuple[EnrolToken, str]:
    """A new token; its text is nowhere else and cannot be read again."""
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
    """What is kept of a secret that is random and long, so that no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def enrol(session: Session, data: object, token_text: str = "") -> tuple[Host, bool]:
    """The host that asks, and whether it is new.

    :param data: the JSON of the request.    :param token_text: from the request's header, if not in ``data``.
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
            raise Refused(403, "key_wrong", "Another agent enrolled with this host id; delete the agent's folder here.")
        if host.revoked:
            raise Refused(403, "host_revoked", "An admin shut this host out.")
    for field, value in _facts(request).items():
        if getattr(host, field) != value:
            setattr(host, field, value)
    session.flush()
    return host, is_new


def _read_request(data: object) -> dict[str, str]:
    if not isinstance(data, dict):
        raise Refused(400, "invalid", "The body must be a JSON object.")
    found: dict[str, str] = {}
    for field, pattern in (("host", HOST_ID), ("key", KEY)):
        value = data.get(field)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise Refused(400, "invalid", f"{field} must be {32 if field == 'host' else 64} hex digits, lower case.")
        found[field] = value
    for field, longest in (*REQUEST_TEXTS.items(), ("token", 200)):
        value = data.get(field, "")
        if not isinstance(value, str):
            raise Refused(400, "invalid", f"{field} must be text.")
        found[field] = one_line(value, longest)
    return found


def _facts(request: dict[str, str]) -> dict[str, str]:
    return {
        "reported_name": request["name"],
        "ip": request["ip"],
        "agent_version": request["agent"],
        "system": request["system"],
    }


def _spend(session: Session, text: str) -> None:
    """Take one use of a token, atomically."""
    if not text:
        raise Refused(401, "token_missing", "This host is not known here: a token from the admin page is needed.")
    token = session.scalar(select(EnrolToken).where(EnrolToken.token_hash == digest(text)))
    if token is None:
        raise Refused(403, "token_invalid", "There is no such token. Make a new one on the admin page.")
    if token.revoked:
        raise Refused(403, "token_revoked", "This token was revoked. Make a new one on the admin page.")
    if token.expires_at <= now():
        raise Refused(403, "token_expired", "This token has expired. Make a new one on the admin page.")
    taking = (
        update(EnrolToken)
        .where(EnrolToken.id == token.id, or_(EnrolToken.reusable, EnrolToken.uses == 0))
        .values(uses=EnrolToken.uses + 1)
        .returning(EnrolToken.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(taking) is None:
        raise Refused(
            403, "token_used", "This token was for one host, and is used up. Make a new one on the admin page."
        )


# -- hosts


def get_host(session: Session, host: str) -> Host:
    """By the id that its agent keeps. :raises NotFound: no such host."""
    found = session.scalar(select(Host).where(Host.host == host))
    if found is None:
        raise NotFound("There is no such host.")
    return found


def find_hosts(session: Session, hosts: Collection[str] | None = None) -> list[Host]:
    """Those of ``hosts`` that there are, or all, without their newest samples; in no order."""
    query = select(Host).options(defer(Host.latest))
    return list(session.scalars(query if hosts is None else query.where(Host.host.in_(hosts))))


def list_hosts(session: Session, hosts: Collection[str] | None = None) -> list[Host]:
    """All hosts, or those of ``hosts``; by name."""
    query = select(Host) if hosts is None else select(Host).where(Host.host.in_(hosts))
    return sorted(session.scalars(query), key=lambda host: (host.title.casefold(), host.host))


def config_of(host: Host) -> contract.Config:
    """What its agent is to do."""
    values = {field: getattr(host, field) for field in CONFIG_FIELDS}
    return cast(contract.Config, {"version": host.config_version, **values})


def application(host: Host) -> tuple[str, str]:
    """Whether the configuration is in force: ``applied refused applying offline`` and a text for people."""
    if host.refused_version == host.config_version:
        return "refused", f"Refused by the host: {host.refusal}"
    if host.applied_version >= host.config_version and host.applied_at is not None:
        return "applied", f"Applied {host.applied_at:%H:%M:%S} UTC"
    if host.online:
        return "applying", "On the way to the host"
    return "offline", "The host will get it when it connects"


def shown_config(host: Host) -> contract.ShownConfig:
    """What pages are told of a host's settings."""
    state, text = application(host)
    about = {"host": host.host, "title": host.title, "labels": host.label_list, "state": state, "text": text}
    return cast(contract.ShownConfig, {**config_of(host), **about})


def shown_host(host: Host) -> contract.ShownHost:
    """What dashboards are told of a host."""
    switches = {switch: getattr(host, switch) for switch in SWITCHES}
    return cast(
        contract.ShownHost,
        {
            "host": host.host,
            "title": host.title,
            "ip": host.ip,
            "labels": host.label_list,
            "version": host.config_version,
            "disabled": host.disabled,
            **switches,
            "online": host.online,
            "last_seen": _seen(host),
        },
    )


def presence_of(host: Host) -> contract.Presence:
    """What pages are told of a host's presence."""
    return contract.Presence(
        host=host.host,
        online=host.online,
        last_seen=_seen(host),
        since=host.since.timestamp(),
        version=host.presence_version,
    )


def _seen(host: Host) -> float | None:
    return host.last_seen.timestamp() if host.last_seen else None


def settle(session: Session, host: str, answer: object) -> None:
    """Keep what an agent said to a configuration: :class:`contract.Configured`. Anything else is a refusal."""
    try:
        said = wire.fields(answer, "The answer")
        version = wire.whole(said.get("version"), "version")
    except Invalid:
        reason = "its answer could not be read"
    else:
        if said.get("accepted"):
            confirm_config(session, host, version)
            return
        reason = str(said.get("reason") or "it gave no reason")
    session.execute(
        update(Host)
        .where(Host.host == host)
        .values(refused_version=Host.config_version, refusal=one_line(reason, 300))
        .execution_options(synchronize_session=False)
    )


def confirm_config(session: Session, host: str, version: int) -> None:
    """An agent has the configuration of this version in force."""
    session.execute(
        update(Host)
        .where(Host.host == host, Host.applied_version < version, Host.config_version >= version)
        .values(applied_version=version, applied_at=datetime.now(UTC), refusal="", refused_version=0)
        .execution_options(synchronize_session=False)
    )


def set_presence(session: Session, states: dict[str, bool], moment: datetime | None = None) -> None:
    """Say who is online."""
    moment = moment or now()
    for host in session.scalars(select(Host).where(Host.host.in_(states)).with_for_update()):
        if host.online is not states[host.host]:
            host.online = states[host.host]
            host.since = moment
            host.presence_version += 1
    session.flush()


def set_seen(session: Session, moments: dict[str, float]) -> None:
    """Note when hosts were heard last: one statement for all of them."""
    for host, moment in moments.items():
        session.execute(
            update(Host)
            .where(Host.host == host)
            .values(last_seen=datetime.fromtimestamp(moment, UTC))
            .execution_options(synchronize_session=False)
        )


def edit_many(session: Session, hosts: Iterable[Host], values: dict[str, Any]) -> None:
    """Set fields of several hosts. :raises Invalid: a value that cannot be; nothing may be committed then."""
    for host in hosts:
        for field, value in values.items():
            if getattr(host, field) != value:
                setattr(host, field, value)
    session.flush()
