"""Every role on every declared URI, against the real router: all four actions, all three ways to match."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from wampflask.permissions import ROLES, Permission
from wampflask.router import wire as w
from wampflask.router.wire import Wire
from wampflask.testing import RouterNode

from .conftest import ALL

AUTHIDS = {"visitor": "visitor:v1", "user": "user:1", "admin": "user:2", "agent": "agent:web1"}
CLAIMS = {"agent": {"host": "web1", "page": "p1"}, "visitor": {"player": "c0ffee"}}
OTHERS = ("visitor_v2", "user_9", "web2")  # words of somebody else's tickets

# Crossbar says that a procedure exists before it asks whether one may register it; that is a refusal too
DENIED = {"wamp.error.not_authorized", "wamp.error.invalid_uri", "wamp.error.procedure_already_exists"}
ALLOWED = {"wamp.error.no_such_procedure"}

META = (
    "wamp.session.count",
    "wamp.session.list",
    "wamp.session.get",
    "wamp.session.kill",
    "wamp.session.kill_by_authid",
    "wamp.session.kill_by_authrole",
    "wamp.session.add_testament",
    "wamp.session.flush_testaments",
    "wamp.session.on_join",
    "wamp.session.on_leave",
    "wamp.registration.list",
    "wamp.registration.lookup",
    "wamp.registration.match",
    "wamp.registration.list_callees",
    "wamp.registration.remove_callee",
    "wamp.registration.on_create",
    "wamp.subscription.list",
    "wamp.subscription.get_events",
    "wamp.subscription.list_subscribers",
    "wamp.subscription.remove_subscriber",
    "wamp.subscription.on_subscribe",
    "wamp",
    "wampflask.router.authorize",
    "wampflask.router.rules",
    "wampflask.lock.any",
    "wampflask.meta.sessions",
    "wampflask.meta.procedures",
    "wampflask.meta.topics",
    "wampflask.worker.0123456789abcdef",
    "crossbar.get_info",
    "crossbar",
    "undeclared.thing",
    "undeclared",
)


@dataclass(frozen=True)
class Question:
    action: str
    uri: str
    match: str = "exact"

    def message(self, request: int) -> w.Message:
        options = {} if self.match == "exact" else {"match": self.match}
        if self.action == "publish":
            return [w.PUBLISH, request, {"acknowledge": True}, self.uri]
        kind = {"call": w.CALL, "register": w.REGISTER, "subscribe": w.SUBSCRIBE}[self.action]
        return [kind, request, options, self.uri]


def words_of(role: str) -> dict[str, str]:
    return {**CLAIMS.get(role, {}), "authid": AUTHIDS.get(role, "").replace(":", "_")}


def uris_of(permission: Permission) -> Iterator[str]:
    """The URI filled in for everybody, and for nobody we know."""

    def fill(found: re.Match[str], words: dict[str, str]) -> str:
        return words.get(found[1] or "") or "x1"

    strangers = [{"authid": other, "host": other, "player": other} for other in OTHERS]
    fillings = [*(words_of(role) for role in ROLES), *strangers]
    for words in fillings:
        yield re.sub(r"<!?\w+>|\{(\w+)\}", partial(fill, words=words), permission.uri)


def patterns_of(uri: str) -> Iterator[tuple[str, str]]:
    """Tricks with patterns: every way to say "this, and more"."""
    parts = uri.split(".")
    for length in range(1, len(parts) + 1):
        yield "prefix", ".".join(parts[:length])
        yield "prefix", ".".join([*parts[:length], ""])
    yield "prefix", uri[:-1]
    yield "wildcard", uri
    for number in range(len(parts)):
        yield "wildcard", ".".join([*parts[:number], "", *parts[number + 1 :]])
        yield "wildcard", ".".join([parts[0], *([""] * (len(parts) - 1))]) if number else ".".join([""] * len(parts))


def questions() -> list[Question]:
    found: dict[Question, None] = {}
    for uri in dict.fromkeys([*(uri for permission in ALL for uri in uris_of(permission)), *META]):
        for action in ("call", "publish", "register", "subscribe"):
            found[Question(action, uri)] = None
        for match, pattern in patterns_of(uri):
            for action in ("register", "subscribe"):
                found[Question(action, pattern, match)] = None
    return list(found)


def expected(role: str, question: Question) -> bool:
    """What the declarations say, read here as plain text and not as the plugin reads them."""
    if question.match == "prefix" or (question.match, question.action) == ("wildcard", "register"):
        return False
    words = words_of(role)
    for permission in ALL:
        if role not in permission.roles(question.action):
            continue
        any_one = "[0-9a-z_]*" if question.match == "wildcard" else "[0-9a-z_]+"
        text = re.sub(r"\{(\w+)\}", lambda found: words.get(found[1]) or "-never-", permission.uri)
        text = re.sub(r"<!\w+>", "[0-9a-z_]+", text.replace(".", r"\."))
        if re.fullmatch(re.sub(r"<\w+>", any_one, text), question.uri):
            return True
    return False


def answers(session: Wire, asked: list[Question]) -> dict[Question, bool]:
    """Ask everything at once; True for what the router allowed."""
    requests = {next(session.requests): question for question in asked}
    found: dict[Question, bool] = {}
    pending = list(requests.items())
    registered = 0
    for start in range(0, len(pending), 200):
        batch = pending[start : start + 200]
        session.send_many([question.message(request) for request, question in batch])
        while len(found) < start + len(batch):
            answer = session.receive()
            if answer[0] == w.EVENT:
                continue
            if answer[0] == w.UNREGISTERED:
                registered -= 1
                continue
            if answer[0] == w.ERROR:
                assert answer[4] in DENIED | ALLOWED, answer
                found[requests[answer[2]]] = answer[4] in ALLOWED
            else:
                assert answer[0] in {w.PUBLISHED, w.SUBSCRIBED, w.REGISTERED, w.RESULT}, answer
                found[requests[answer[1]]] = True
                if answer[0] == w.REGISTERED:
                    session.send([w.UNREGISTER, next(session.requests), answer[2]])
                    registered += 1
    while registered:
        registered -= session.receive()[0] == w.UNREGISTERED
    return found


@pytest.fixture(scope="module")
def sessions(node: RouterNode) -> Iterator[dict[str, Wire]]:
    """Everybody has joined, and nobody has registered anything."""
    joined = {role: node.session(role, authid, **CLAIMS.get(role, {})) for role, authid in AUTHIDS.items()}
    joined["anonymous"] = Wire(node.ws_url).join(node.realm, None)
    yield joined
    for session in joined.values():
        session.close()


@pytest.mark.parametrize("action", ["call", "publish", "subscribe", "register"])
@pytest.mark.parametrize("role", ROLES)
def test_every_role_on_every_uri(sessions: dict[str, Wire], action: str, role: str) -> None:
    """What is allowed is exactly what was declared."""
    asked = [question for question in questions() if question.action == action]

    found = answers(sessions[role], asked)

    assert found == {question: expected(role, question) for question in asked}


def test_the_table_is_not_empty() -> None:
    """Each action is granted to somebody by somebody, and refused to others."""
    for action in ("call", "publish", "subscribe", "register"):
        verdicts = {expected(role, q) for role in ROLES for q in questions() if q.action == action}
        assert verdicts == {True, False}
    wildcards = [q for q in questions() if q.match == "wildcard" and expected("visitor", q)]
    assert wildcards
