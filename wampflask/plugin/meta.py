"""What is in a realm now: sessions, procedures and topics, for operators. In the router's reactor thread.

One call returns one page of them, filtered and sorted here: of 5,000 sessions that takes a few milliseconds, where
WAMP's own meta procedures need a call for each. And those answer with the headers of a client's HTTP request, cookies
among them: what is returned here is named field by field, and nothing of a client's request is in it but its address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from ipaddress import ip_address
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .rate_limit import RateLimit  # Flask reads the names below, and is to load no Twisted for it

SESSIONS = "wampflask.meta.sessions"
PROCEDURES = "wampflask.meta.procedures"
TOPICS = "wampflask.meta.topics"

LIMIT = 1000
"""Rows in one answer, at most."""
URIS = 10
"""URIs of a session in a list of sessions; all of them where one session is asked for."""
INTERNAL = ("wamp", "wampflask")
"""Roots of the router's and the library's own URIs."""
_ADDRESS = "_wampflask_address"
HIDDEN = "trusted"
"""The role of Crossbar's own sessions."""

Row = dict[str, Any]
Answer = dict[str, Any]


class Meta:
    """The inventory of one realm. For one thread.

    :param router: returns Crossbar's router of the realm.
    :param limit: what knows whose actions were refused.
    """

    def __init__(self, router: Callable[[], Any], limit: RateLimit) -> None:
        self._router = router
        self._limit = limit

    async def begin(self, session: Any) -> None:
        """Answer workers from now on.

        :param session: the plugin's own, in the realm.
        """
        await session.register(self.sessions, SESSIONS)
        await session.register(self.procedures, PROCEDURES)
        await session.register(self.topics, TOPICS)

    def sessions(
        self,
        text: str = "",
        *,
        role: str = "",
        authid: str = "",
        number: int = 0,
        observed: int = 0,
        sort: str = "since",
        offset: int = 0,
        limit: int = 100,
    ) -> Answer:
        """Return a page of the sessions: ``{"rows": […], "found": how many match, "total": how many there are, …}``.

        ``roles`` has how many sessions each role has.

        :param text: a part of the id, authid, role or address.
        :param observed: only those that have subscribed the topic, or registered the procedure, of this number.
        :param sort: ``since`` (newest first), ``authid``, ``role``, ``address``, or ``waiting``, ``refused``,
            ``topics``, ``procedures`` (most first).
        """
        everybody = [one for one in self._router()._session_id_to_session.values() if one._authrole != HIDDEN]  # noqa: SLF001 - Crossbar offers no other
        roles = dict(Counter(str(one._authrole) for one in everybody))  # noqa: SLF001 - same
        wanted: Iterable[Any] = everybody
        if number:
            wanted = [one for one in wanted if one._session_id == number]  # noqa: SLF001 - same
        if role:
            wanted = [one for one in wanted if one._authrole == role]  # noqa: SLF001 - same
        if authid:
            wanted = [one for one in wanted if one._authid == authid]  # noqa: SLF001 - same
        if observed:
            using = self._using(observed)
            wanted = [one for one in wanted if one in using]
        if text:
            part = text.lower()
            wanted = [one for one in wanted if part in _text_of(one)]
        keys: dict[str, Callable[[Any], Any]] = {
            "since": lambda one: -_since(one),
            "authid": lambda one: str(one._authid),  # noqa: SLF001 - same
            "role": lambda one: (str(one._authrole), str(one._authid)),  # noqa: SLF001 - same
            "address": _address,
            "waiting": lambda one: -_waiting(one),
            "refused": lambda one: -self._limit.refused(one._session_id),  # noqa: SLF001 - same
            "topics": lambda one: -len(self._subscribed(one)),
            "procedures": lambda one: -len(self._registered(one)),
        }
        found = sorted(wanted, key=keys.get(sort, keys["since"]))
        most = None if number else URIS
        rows = [self._session(one, most) for one in _page(found, offset, limit)]
        return {"rows": rows, "found": len(found), "total": len(everybody), "roles": roles}

    def procedures(self, text: str = "", *, internal: bool = False, offset: int = 0, limit: int = 100) -> Answer:
        """Return a page of the procedures, by their URIs.

        :param text: a part of the URI.
        :param internal: those of the router and of the library, too.
        """
        return _observed(self._router()._dealer._registration_map, text, internal, offset, limit, _procedure)  # noqa: SLF001 - same

    def topics(self, text: str = "", *, internal: bool = False, offset: int = 0, limit: int = 100) -> Answer:
        """Return a page of the topics that somebody listens to, by their URIs: see :meth:`procedures`."""
        return _observed(self._router()._broker._subscription_map, text, internal, offset, limit, _topic)  # noqa: SLF001 - same

    def _session(self, one: Any, most: int | None) -> Row:
        topics, procedures = self._subscribed(one), self._registered(one)
        return {
            "session": one._session_id,  # noqa: SLF001 - same
            "authid": one._authid,  # noqa: SLF001 - same
            "role": one._authrole,  # noqa: SLF001 - same
            "address": _address(one),
            "transport": _transport(one),
            "since": _since(one),
            "topics": sorted(item.uri for item in topics)[:most],
            "topic_count": len(topics),
            "procedures": sorted(item.uri for item in procedures)[:most],
            "procedure_count": len(procedures),
            "waiting": _waiting(one),
            "refused": self._limit.refused(one._session_id),  # noqa: SLF001 - same
        }

    def _subscribed(self, one: Any) -> Collection[Any]:
        found: Collection[Any] = self._router()._broker._session_to_subscriptions.get(one, ())  # noqa: SLF001 - same
        return found

    def _registered(self, one: Any) -> Collection[Any]:
        found: Collection[Any] = self._router()._dealer._session_to_registrations.get(one, ())  # noqa: SLF001 - same
        return found

    def _using(self, number: int) -> Collection[Any]:
        router = self._router()
        maps = (router._broker._subscription_map, router._dealer._registration_map)  # noqa: SLF001 - same
        return next((known[number].observers for known in map(_by_number, maps) if number in known), ())


def _by_number(observations: Any) -> Mapping[int, Any]:
    found: Mapping[int, Any] = observations._observation_id_to_observation  # noqa: SLF001 - same
    return found


def _observed(
    observations: Any, text: str, internal: bool, offset: int, limit: int, describe: Callable[[Any], Row]
) -> Answer:
    known = [
        item
        for item in _by_number(observations).values()
        if item.observers and (internal or item.uri.split(".")[0] not in INTERNAL)
    ]
    found = sorted((item for item in known if text.lower() in item.uri), key=lambda item: (item.uri, item.match))
    return {"rows": [describe(item) for item in _page(found, offset, limit)], "found": len(found), "total": len(known)}


def _procedure(item: Any) -> Row:
    callees = [{"session": one._session_id, "authid": one._authid, "role": one._authrole} for one in _clients(item)]  # noqa: SLF001 - same
    return {**_observation(item), "invoke": item.extra.invoke, "callees": callees[:LIMIT]}


def _topic(item: Any) -> Row:
    return {**_observation(item), "subscribers": len(item.observers)}


def _observation(item: Any) -> Row:
    return {
        "number": item.id,
        "uri": item.uri,
        "match": item.match,
        "since": datetime.fromisoformat(item.created).timestamp(),
    }


def _clients(item: Any) -> Iterator[Any]:
    return (one for one in item.observers if one._authrole != HIDDEN)  # noqa: SLF001 - same


def _page(found: list[Any], offset: int, limit: int) -> Iterator[Any]:
    return islice(found, max(0, offset), max(0, offset) + max(0, min(limit, LIMIT)))


def _text_of(one: Any) -> str:
    return f"{one._session_id} {one._authid} {one._authrole} {_address(one)}".lower()  # noqa: SLF001 - same


def _since(one: Any) -> float:
    """Return when the connection was opened; 0 where that is not known."""
    reader = getattr(one, "_wampflask_reader", None)
    return reader.since if reader else 0.0


def _waiting(one: Any) -> int:
    """Return the bytes that a session has not read yet."""
    reader = getattr(one, "_wampflask_reader", None)
    return reader.unsent if reader else 0


def _address(one: Any) -> str:
    """Return where a session comes from: empty for a worker's socket. It is read once for each."""
    found: str | None = vars(one).get(_ADDRESS)
    if found is None:
        found = _read_address(one)
        setattr(one, _ADDRESS, found)
    return found


def _read_address(one: Any) -> str:
    """Behind a front server on this machine it is what the front server says; nobody else is believed."""
    peer = str(getattr(one._transport, "peer", "") or "")  # noqa: SLF001 - same
    if not peer.startswith("tcp"):
        return ""
    address = peer.partition(":")[2].rpartition(":")[0]
    try:
        return _forwarded(one) or address if ip_address(address).is_loopback else address
    except ValueError:
        return address


def _forwarded(one: Any) -> str:
    """Return the last address of ``X-Forwarded-For``, if it is one."""
    headers = getattr(getattr(one._transport, "transport_details", None), "http_headers_received", None) or {}  # noqa: SLF001 - same
    said = str(headers.get("x-forwarded-for", "")).rpartition(",")[2].strip()
    try:
        return str(ip_address(said))
    except ValueError:
        return ""


def _transport(one: Any) -> str:
    """Return how it is connected: ``unix``, ``rs``, ``ws`` or ``wss``, as in WAMP_URL."""
    transport = one._transport  # noqa: SLF001 - same
    if not str(getattr(transport, "peer", "") or "").startswith("tcp"):
        return "unix"
    if not hasattr(transport, "sendPing"):
        return "rs"
    details = getattr(transport, "transport_details", None)
    return "wss" if details is not None and details.is_secure else "ws"
