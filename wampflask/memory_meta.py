"""What ``wamp.meta`` finds in a realm in memory: its pages, and the app as the only worker."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ._declarations import Procedure, Subscription
from .page import match_of
from .permissions import BACKEND
from .plugin import meta

SESSION = 1
"""The app's own."""


class InMemory(Protocol):
    """What is asked of a page in memory."""

    session: int
    authid: str
    role: str
    procedures: list[Procedure]
    topics: list[str]


class Realm(Protocol):
    """What is asked of a realm in memory."""

    @property
    def pages(self) -> Sequence[InMemory]: ...
    @property
    def provided(self) -> Sequence[Procedure]: ...
    @property
    def topics(self) -> Sequence[Subscription]: ...


def sessions(realm: Realm, text: str = "", **query: Any) -> dict[str, Any]:
    """Answer as the router does."""
    own = (SESSION, BACKEND, BACKEND, [one.uri for one in realm.topics], [one.uri for one in realm.provided])
    pages = [
        (one.session, one.authid, one.role, one.topics, [item.uri for item in one.procedures]) for one in realm.pages
    ]
    rows = [_session(*one) for one in (own, *pages)]
    roles = {row["role"]: sum(other["role"] == row["role"] for other in rows) for row in rows}
    found = [row for row in rows if text in f"{row['session']} {row['authid']} {row['role']}"]
    for key, name in (("role", "role"), ("authid", "authid"), ("number", "session")):
        found = [row for row in found if not query.get(key) or row[name] == query[key]]
    if observed := query.get("observed"):
        found = [row for row in found if observed in map(_number, (*row["topics"], *row["procedures"]))]
    return {**_page(found, len(rows), query), "roles": roles}


def procedures(realm: Realm, text: str = "", **query: Any) -> dict[str, Any]:
    """Answer as the router does."""
    own = [(item, _callee(SESSION, BACKEND, BACKEND)) for item in realm.provided]
    theirs = [(item, _callee(one.session, one.authid, one.role)) for one in realm.pages for item in one.procedures]
    rows = [
        {**_observed(item.uri, item.match), "invoke": item.invoke, "callees": [callee]} for item, callee in own + theirs
    ]
    return _observations(rows, text, query)


def topics(realm: Realm, text: str = "", **query: Any) -> dict[str, Any]:
    """Answer as the router does."""
    heard = [(item.uri, item.match) for item in realm.topics]
    heard += [(topic, match_of(topic)) for one in realm.pages for topic in one.topics]
    rows = [{**_observed(*one), "subscribers": heard.count(one)} for one in dict.fromkeys(heard)]
    return _observations(rows, text, query)


PROCEDURES: Mapping[str, Callable[..., dict[str, Any]]] = {
    meta.SESSIONS: sessions,
    meta.PROCEDURES: procedures,
    meta.TOPICS: topics,
}


def _session(number: int, authid: str, role: str, heard: Iterable[str], registered: Iterable[str]) -> dict[str, Any]:
    subscribed, provided = sorted(heard), sorted(registered)
    return {
        "session": number,
        "authid": authid,
        "role": role,
        "address": "",
        "transport": "unix",
        "since": time.time(),
        "topics": subscribed,
        "topic_count": len(subscribed),
        "procedures": provided,
        "procedure_count": len(provided),
        "waiting": 0,
        "refused": 0,
    }


def _callee(session: int, authid: str, role: str) -> dict[str, Any]:
    return {"session": session, "authid": authid, "role": role}


def _number(uri: str) -> int:
    return zlib.crc32(uri.encode())


def _observed(uri: str, match: str) -> dict[str, Any]:
    return {"number": _number(uri), "uri": uri, "match": match, "since": time.time()}


def _observations(rows: list[dict[str, Any]], text: str, query: Mapping[str, Any]) -> dict[str, Any]:
    known = [row for row in rows if query.get("internal") or row["uri"].split(".")[0] not in meta.INTERNAL]
    return _page(sorted((row for row in known if text in row["uri"]), key=lambda row: row["uri"]), len(known), query)


def _page(found: list[dict[str, Any]], total: int, query: Mapping[str, Any]) -> dict[str, Any]:
    first = query.get("offset", 0)
    return {"rows": found[first : first + query.get("limit", 100)], "found": len(found), "total": total}
