"""The parts of the plugin on their own: tickets, rules, rate limit, cached files, revocations, authorizer."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wampflask.plugin import authorizer, revocations
from wampflask.plugin.file_cache import CachedFile
from wampflask.plugin.rate_limit import RateLimit
from wampflask.plugin.rules import Decision, Rules, Session
from wampflask.plugin.tickets import TicketError, TicketExpired, TicketRevoked, Tickets

SECRET = "a secret of enough length"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tickets(clock: Clock) -> Tickets:
    return Tickets(SECRET, "realm", 60, clock=clock)


# tickets


def test_a_ticket_says_who(tickets: Tickets) -> None:
    found = tickets.verify(tickets.mint("agent", "agent:web1", host="web1"))

    assert (found.role, found.authid, found.realm, found.issued) == ("agent", "agent:web1", "realm", 1000.0)
    assert found.claims == {"host": "web1"}


def test_a_ticket_lives_as_long_as_its_lifetime(tickets: Tickets, clock: Clock) -> None:
    ticket = tickets.mint("user", "user:1")
    clock.now += 60
    tickets.verify(ticket)
    clock.now += 0.1
    with pytest.raises(TicketExpired):
        tickets.verify(ticket)


def test_a_revoked_ticket_and_the_next(tickets: Tickets, clock: Clock) -> None:
    """Revoked up to a moment; what is issued after it is good."""
    ticket = tickets.mint("user", "user:1")
    clock.now += 0.001

    tickets.verify(ticket, revoked_before=lambda authid: {"user:2": 2000.0}.get(authid, 0.0))  # of somebody else
    with pytest.raises(TicketRevoked):
        tickets.verify(ticket, revoked_before=lambda authid: {"user:1": 1000.0}.get(authid, 0.0))
    tickets.verify(tickets.mint("user", "user:1"), revoked_before=lambda _: 1000.0)


@pytest.mark.parametrize(
    ("role", "authid", "claims", "named"),
    [
        ("trusted", "user:1", {}, "trusted"),
        ("anonymous", "user:1", {}, "anonymous"),
        ("user", "user 1", {}, "user 1"),
        ("user", "user:1:2", {}, "user:1:2"),
        ("user", "user_1", {}, "user_1"),
        ("user", "user:\n", {}, "user:"),
        ("user", "", {}, "authid"),
        ("user", "user:1", {"host": 5.5}, "host"),
        ("user", "user:1", {"Host": "a"}, "Host"),
        ("user", "user:1", {"host": "a" * 256}, "host"),
        ("user", "user:1", {"team": "1,2"}, "team='1,2' would match nothing"),
        ("user", "user:1", {"team": "red-team"}, "team='red-team' would match nothing"),
        ("user", "user:1", {"team": ""}, "would match nothing"),
        ("user", "user:1", {"team": "1 2"}, "Several values are a list"),
        ("user", "user:1", {f"claim{number}": uuid.uuid4().hex for number in range(200)}, "claims"),
    ],
)
def test_what_cannot_stand_in_a_ticket(
    tickets: Tickets, role: str, authid: str, claims: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        tickets.mint(role, authid, **claims)


def test_other_secrets_and_realms(tickets: Tickets, clock: Clock) -> None:
    for other in (Tickets(SECRET + "!", "realm", clock=clock), Tickets(SECRET, "other", clock=clock)):
        with pytest.raises(TicketError):
            other.verify(tickets.mint("user", "user:1"))
    with pytest.raises(ValueError, match="16 characters"):
        Tickets("short", "realm")


def test_derived_secrets_differ(tickets: Tickets) -> None:
    """One key file serves several purposes, and none of them can make another's signatures."""
    assert tickets.derive("a") == tickets.derive("a") != tickets.derive("b")
    assert SECRET not in tickets.derive("a")


# rules


def ask(rules: Rules, uri: str, action: str, role: str = "user", **options: Any) -> bool:
    session = Session.of({"authrole": role, "authid": "user:1", "authextra": {"claims": {"host": "web1", "odd": ""}}})
    return rules.decide(session, uri, action, options).allow


def test_a_word_that_the_ticket_does_not_claim_matches_nothing() -> None:
    """Neither missing nor empty claims open a URI, nor does the placeholder itself."""
    rules = Rules(
        [
            {"uri": f"a.{{{word}}}", "call": ["user"], "subscribe": ["user"]}
            for word in ("host", "odd", "none", "authid")
        ]
    )

    assert ask(rules, "a.web1", "call")
    assert ask(rules, "a.user_1", "call")
    assert not any(ask(rules, f"a.{text}", "call") for text in ("", "none", "odd", "{host}", "user:1", "web2"))
    assert not ask(rules, "a.", "subscribe", match="wildcard")


def test_a_claim_cannot_play_the_authid() -> None:
    session = Session.of({"authrole": "user", "authid": "user:1", "authextra": {"claims": {"authid": "user_2"}}})

    assert session.words["authid"] == ("user_1",)


def test_a_session_without_anything_is_nobody() -> None:
    rules = Rules([{"uri": "a.{authid}", "call": ["user"]}])

    for details in ({}, {"authrole": "user"}, {"authrole": "user", "authid": None, "authextra": None}):
        assert not rules.decide(Session.of(details), "a.user_1", "call", {}).allow


def test_two_narrow_rules_do_not_make_a_wide_one() -> None:
    """A wildcard is covered by one rule as a whole, or refused."""
    rules = Rules([{"uri": "a.b.<x>", "subscribe": ["user"]}, {"uri": "a.<y>.c", "subscribe": ["user"]}])

    assert ask(rules, "a.b.", "subscribe", match="wildcard")
    assert ask(rules, "a..c", "subscribe", match="wildcard")
    assert not ask(rules, "a..", "subscribe", match="wildcard")
    assert not ask(rules, "a.b.", "subscribe", match="prefix")
    assert not ask(rules, "a.b.", "subscribe")


def test_an_unknown_way_to_match_is_refused() -> None:
    rules = Rules([{"uri": "a.b", "subscribe": ["user"], "call": ["user"]}])

    assert ask(rules, "a.b", "subscribe", match="exact")
    assert not ask(rules, "a.b", "subscribe", match="regex")
    assert not ask(rules, "a.b", "call", match="prefix")


# the authorizer


class _Logged:
    def __init__(self) -> None:
        self.failures = 0

    def failure(self, *_: object, **__: object) -> None:
        self.failures += 1


def test_an_error_in_the_authorizer_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with the question: no permission, no exception to the client, a line in the log."""
    log = _Logged()
    monkeypatch.setattr(authorizer, "log", log)
    session: Any = SimpleNamespace(_rules=Rules([]), _rate_limit=RateLimit())
    questions: list[Any] = [
        (None, "a.b", "call", {}),
        ({}, None, "call", {}),
        ({}, "a.b", "call", {}),
        ({}, "a.b", "x", 5),
    ]

    for question in questions:
        assert authorizer.Authorizer.authorize(session, *question)["allow"] is False
    assert log.failures == len(questions)


def test_answers_are_never_cached() -> None:
    session: Any = SimpleNamespace(
        _rules=Rules([{"uri": "a.b", "call": ["user"], "subscribe": ["user"]}]),
        _rate_limit=RateLimit(),
        _live=SimpleNamespace(allowed=lambda _topic: None),
    )
    details = {"authrole": "user", "authid": "user:1", "session": 7}

    assert authorizer.Authorizer.authorize(session, details, "a.b", "call", {}) == {
        "allow": True,
        "cache": False,
        "disclose": True,
    }
    assert authorizer.Authorizer.authorize(session, details, "a.b", "subscribe", {}) == {"allow": True, "cache": False}


def test_who_calls_a_stranger_is_not_told_whichever_rule_grants_it() -> None:
    """The right to call and the right to provide may stand in two rules: any name, and the one a ticket claims."""
    rules = Rules(
        [
            {"uri": "film.<!page>.play", "call": ["user"]},
            {"uri": "film.{page}.play", "register": ["user"]},
            {"uri": "film.<!page>.list", "call": ["user"]},
        ]
    )
    session = Session("user", {"page": ("p1",)})

    assert rules.decide(session, "film.p2.play", "call", {}) == Decision(allow=True, disclose=False)
    assert rules.decide(session, "film.p2.list", "call", {}) == Decision(allow=True, disclose=True)
    assert rules.decide(session, "film.p1.play", "register", {}).allow
    assert not rules.decide(session, "film.p2.play", "register", {}).allow
    assert not rules.decide(session, "film..play", "subscribe", {"match": "wildcard"}).allow


# rate limit


def test_the_rate_limit_is_a_bucket_for_each_session(clock: Clock) -> None:
    limit = RateLimit(actions=2, actions_burst=3, clock=clock)

    assert [limit.allows(1) for _ in range(5)] == [True, True, True, False, False]
    assert limit.allows(2)
    clock.now += 0.5
    assert [limit.allows(1) for _ in range(2)] == [True, False]
    clock.now += 100
    assert [limit.allows(1) for _ in range(4)] == [True, True, True, False]


def test_the_rate_limit_counts_bytes(clock: Clock) -> None:
    """A large message may go below nothing once; what is denied meanwhile does not make the wait longer."""
    limit = RateLimit(octets=100, octets_burst=1000, clock=clock)

    def sends(size: int) -> bool:
        limit.count(1, size)
        return limit.allows(1)

    assert [sends(400) for _ in range(4)] == [True, True, False, False]
    assert limit.allows(2)
    clock.now += 2.1
    assert [sends(9), sends(9)] == [True, False]
    clock.now += 100
    assert [sends(999), sends(1)] == [True, False]


def test_the_rate_limit_forgets_whom_it_has_not_seen_for_long(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory has a bound, whatever the number of sessions."""
    monkeypatch.setattr("wampflask.plugin.rate_limit.MAX_SESSIONS", 10)
    limit = RateLimit(actions=2, actions_burst=3, clock=clock)

    for session in range(100):
        assert limit.allows(session)

    assert len(limit._sessions) == 10


def test_no_rate_limit() -> None:
    limit = RateLimit()
    limit.count(1, 10**9)
    assert all(limit.allows(1) for _ in range(1000))


# files


def test_a_watched_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    reads: list[str] = []

    def parse(text: str) -> str:
        reads.append(text)
        return text.upper()

    file = tmp_path / "file"
    cached = CachedFile(file, parse, "nothing")

    assert cached.read() == "nothing"
    file.write_text("one")
    assert [cached.read(), cached.read()] == ["ONE", "ONE"]
    with file.open("a") as handle:
        handle.write("!")
    assert cached.read() == "ONE!"
    replacement = tmp_path / "new"
    replacement.write_text("two!")
    os.utime(replacement, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    replacement.replace(file)
    assert cached.read() == "TWO!"
    file.unlink()
    assert cached.read() == "nothing"
    assert reads == ["one", "one!", "two!"]


def test_a_file_that_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CachedFile(tmp_path / "gone", str).read()


def test_revocations_keep_the_latest_moment() -> None:
    text = revocations.line("user:1", 5.5) + revocations.line("user:2", 1.0) + revocations.line("user:1", 3.0)

    assert revocations.parse(text) == {"user:1": 5.5, "user:2": 1.0}


def test_torn_and_foreign_lines_are_skipped() -> None:
    """A line without its end may lack digits; it is read when it is whole."""
    assert revocations.parse("user:1 5.0\n\nnonsense\nuser:3 x\nuser:2 17") == {"user:1": 5.0}
