"""The inventory on its own: thousands of sessions are answered in one short turn of the router's reactor."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest

from wampflask.plugin.meta import LIMIT, URIS, Meta
from wampflask.plugin.rate_limit import RateLimit

SESSIONS = 5000
SHORT = 0.2
"""Seconds of processor time; it is some 10 ms on a quick machine, while one call for each session takes seconds."""


class Session:
    """As Crossbar has one; with what must never be answered."""

    def __init__(self, number: int, role: str) -> None:
        headers = {"cookie": f"session=secret{number}", "user-agent": "secret", "x-forwarded-for": "evil, 203.0.113.7"}
        details = SimpleNamespace(http_headers_received=headers, is_secure=False, http_cbtid="secret")
        self._session_id, self._authrole, self._authid = number, role, f"{role}:{number}"
        self._authextra = {"claims": {"team": "secret"}, "transport": headers}
        peer = f"tcp4:198.51.100.{number % 250}:{number}" if number % 2 else f"tcp4:127.0.0.1:{number}"
        self._transport = SimpleNamespace(peer=peer, transport_details=details, sendPing=None)
        self._wampflask_reader = SimpleNamespace(since=1000.0 + number, unsent=number % 7)


def observations(uris: list[str], sessions: list[Session], each: int) -> tuple[Any, dict[Session, set[Any]]]:
    """A map as Crossbar's: ``each`` sessions in turn use each URI."""
    by_session: dict[Session, set[Any]] = {}
    found = {}
    for number, uri in enumerate(uris, 1):
        observers = {sessions[(number * each + place) % len(sessions)] for place in range(each)}
        item = SimpleNamespace(
            id=number,
            uri=uri,
            match="exact",
            created="2026-11-21T10:00:00.000Z",
            observers=observers,
            extra=SimpleNamespace(invoke="roundrobin"),
        )
        item = _Hashable(**vars(item))
        found[number] = item
        for session in observers:
            by_session.setdefault(session, set()).add(item)
    return SimpleNamespace(_observation_id_to_observation=found), by_session


class _Hashable(SimpleNamespace):
    __hash__ = object.__hash__  # type: ignore[assignment]


@pytest.fixture(scope="module")
def meta() -> Meta:
    sessions = [Session(number, "admin" if number % 1000 == 0 else "visitor") for number in range(1, SESSIONS + 1)]
    topics, subscribed = observations([f"chat.room.r{n}" for n in range(2000)], sessions, 25)
    procedures, registered = observations([f"player.p{n}.play" for n in range(1000)], sessions, 1)
    hidden = Session(10**9, "trusted")
    router = SimpleNamespace(
        _session_id_to_session={one._session_id: one for one in [*sessions, hidden]},
        _broker=SimpleNamespace(_subscription_map=topics, _session_to_subscriptions=subscribed),
        _dealer=SimpleNamespace(_registration_map=procedures, _session_to_registrations=registered),
    )
    return Meta(lambda: router, RateLimit(actions=1.0, actions_burst=1.0))


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"text": "visitor:49", "sort": "authid"},
        {"text": "198.51.100.7", "sort": "address"},
        {"role": "admin", "sort": "topics"},
        {"sort": "waiting", "offset": 4950},
        {"sort": "refused"},
        {"observed": 7, "sort": "procedures"},
    ],
)
def test_a_page_of_thousands_is_quick_and_small(meta: Meta, query: dict[str, Any]) -> None:
    began = time.process_time()
    answer = meta.sessions(**query)
    assert time.process_time() - began < SHORT
    assert answer["total"] == SESSIONS
    assert 0 < len(answer["rows"]) <= 100
    assert len(json.dumps(answer)) < 200_000
    assert answer["roles"] == {"visitor": 4995, "admin": 5}


def test_every_session_once_over_the_pages(meta: Meta) -> None:
    numbers = [
        row["session"]
        for offset in range(0, SESSIONS, LIMIT)
        for row in meta.sessions(offset=offset, limit=10**6)["rows"]
    ]
    assert sorted(numbers) == list(range(1, SESSIONS + 1))
    assert numbers[0] == SESSIONS, "the newest first"


def test_nothing_of_a_request_is_answered_but_the_address(meta: Meta) -> None:
    answers = [
        meta.sessions(limit=LIMIT),
        meta.sessions(number=1000),
        meta.procedures(limit=LIMIT),
        meta.topics(limit=LIMIT),
    ]
    assert "secret" not in json.dumps(answers)
    assert "evil" not in json.dumps(answers)
    by_number = {row["session"]: row["address"] for row in meta.sessions(sort="authid", limit=LIMIT)["rows"]}
    assert by_number[1001] == "198.51.100.1", "nobody but a front server of this machine is believed"
    assert by_number[1000] == "203.0.113.7"


def test_a_list_has_some_uris_of_a_session_and_one_session_all(meta: Meta) -> None:
    first = meta.sessions(sort="topics", limit=1)["rows"][0]
    assert (len(first["topics"]), first["topic_count"]) == (URIS, URIS)
    assert len(meta.sessions(number=first["session"])["rows"][0]["topics"]) == first["topic_count"]


def test_topics_and_procedures_by_their_names(meta: Meta) -> None:
    found = meta.topics("room.r19", limit=3)
    assert [row["uri"] for row in found["rows"]] == ["chat.room.r19", "chat.room.r190", "chat.room.r1900"]
    assert (found["found"], found["total"], found["rows"][0]["subscribers"]) == (111, 2000, 25)
    (procedure,) = meta.procedures("player.p7.")["rows"]
    assert procedure["invoke"] == "roundrobin"
    assert [callee["role"] for callee in procedure["callees"]] == ["visitor"]
