"""What the bridge takes and what it refuses: one status for each cause, and the WAMP error in the body."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_wtf.csrf import CSRFProtect
from werkzeug.test import TestResponse

from rig.databases import of_library
from tests.core.bridge.signer import body_of, signed
from wampflask import WAMP, CallFailed, Permission, bridge, revocations
from wampflask.bridge_client import signature
from wampflask.plugin.blocks import Block
from wampflask.testing import MemoryRealm, in_memory
from wampflask.tickets import issuer_of

PERMISSIONS = (
    Permission("shop.sold", publish="agent", subscribe="user"),
    Permission("shop.price.<item>", call="agent"),
    Permission("shop.mine.{authid}", call="agent"),
    Permission("stock.count", call="agent"),
    *(Permission(f"shop.{name}", call="agent") for name in ("add", "closed", "broken", "nobody")),
)


@pytest.fixture
def wamp() -> WAMP:
    wamp = WAMP()
    wamp.permit(*PERMISSIONS)

    @wamp.register("shop.add")
    def add(one: int, two: int) -> int:
        return one + two

    @wamp.register("shop.closed")
    def closed() -> None:
        raise CallFailed("shop.error.closed", "At nine.", hour=9)

    @wamp.register("shop.broken")
    def broken() -> None:
        raise RuntimeError("the handler's own secret")

    return wamp


@pytest.fixture
def app(wamp: WAMP, tmp_path: Path) -> Flask:
    app = Flask("shop", instance_path=str(tmp_path))
    app.secret_key = "a key for tests"
    app.config.update(of_library(tmp_path), WAMP_MESSAGE_MAX=2048, WAMP_RATE_LIMIT=50, WAMP_RATE_BURST=500)
    CSRFProtect(app)
    wamp.init_app(app)
    bridge.init_app(app)
    return app


@pytest.fixture
def realm(app: Flask) -> Iterator[MemoryRealm]:
    with in_memory(app) as realm:
        yield realm


class Script:
    """What a shell script with a key does."""

    def __init__(self, app: Flask, key: str) -> None:
        self.app = app
        self.name, _, self.secret = key.partition(".")

    def post(
        self,
        verb: str,
        body: bytes,
        query: Any = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        sent = signed(self.name, self.secret, body) if query is None else query
        return self.app.test_client().post(
            f"/bridge/{verb}", data=body, query_string=sent, content_type=content_type, headers=headers
        )

    def ask(self, verb: str, once: str | None = None, **said: Any) -> TestResponse:
        headers = {} if once is None else {"Idempotency-Key": once}
        return self.post(verb, body_of(**said), headers=headers)


def key_for(app: Flask, name: str = "shell", below: tuple[str, ...] = ("shop",), **more: Any) -> str:
    with app.app_context():
        return issuer_of().keys.create(name, "agent", below, roles=["agent"], **more)


@pytest.fixture
def script(app: Flask, realm: MemoryRealm) -> Script:
    return Script(app, key_for(app))


def said_by(answer: TestResponse) -> tuple[int, str]:
    """Status and WAMP error."""
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, str((answer.get_json() or {}).get("error"))


def test_it_publishes_and_calls(script: Script, realm: MemoryRealm) -> None:
    answer = script.ask("publish", topic="shop.sold", args=["tea"], kwargs={"left": 3})
    assert (answer.status_code, list(answer.get_json())) == (200, ["id"])
    assert [(event.topic, event.args, event.kwargs) for event in realm.published] == [
        ("shop.sold", ["tea"], {"left": 3})
    ]
    assert script.ask("call", procedure="shop.add", args=[1, 2]).get_json() == {"args": [3]}


DEEP = b'{"topic": "shop.sold", "args": ' + 900 * b"[" + 900 * b"]" + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"[]",
        b"null",
        b'"text"',
        b'{"topic": "shop.sold"',
        b'\xff{"topic": "shop.sold"}',
        b"{}",
        b'{"topic": 7}',
        b'{"topic": ""}',
        b'{"topic": "shop..sold"}',
        b'{"topic": "Shop.sold"}',
        b'{"topic": "shop.sold", "args": {"a": 1}}',
        b'{"topic": "shop.sold", "args": "tea"}',
        b'{"topic": "shop.sold", "kwargs": [1]}',
        b'{"topic": "shop.sold", "options": [1]}',
        b'{"topic": "shop.sold", "args": [NaN]}',
        b'{"topic": "shop.sold", "args": [1e999]}',
        b'{"topic": "shop.sold", "args": ["\\ud800"]}',
        b'{"topic": "shop.sold", "args": [123456789012345678901234567890]}',
        DEEP,
    ],
    ids=lambda body: body[:40].decode(errors="replace"),
)
def test_malformed_bodies_are_400_and_nothing_is_published(script: Script, realm: MemoryRealm, body: bytes) -> None:
    status, uri = said_by(script.post("publish", body))
    assert status == 400
    assert uri.startswith("wamp.error.invalid")
    assert realm.published == []


@pytest.mark.parametrize(
    "instead",
    [
        {"timestamp": "yesterday"},
        {"timestamp": "2026-02-30T00:00:00.000Z"},
        {"seq": "one"},
        {"seq": "1" * 21},
        {"nonce": "x"},
        {"nonce": "-1"},
        {"nonce": ""},
    ],
    ids=str,
)
def test_malformed_parameters_are_400(script: Script, instead: dict[str, str]) -> None:
    body = body_of(topic="shop.sold")
    assert script.post("publish", body, {**signed(script.name, script.secret, body), **instead}).status_code == 400


@pytest.mark.parametrize("missing", ["key", "timestamp", "seq", "nonce", "signature"])
def test_each_parameter_is_needed_once(script: Script, missing: str) -> None:
    body = body_of(topic="shop.sold")
    query = signed(script.name, script.secret, body)
    twice = [*query.items(), (missing, query[missing])]
    assert script.post("publish", body, {n: v for n, v in query.items() if n != missing}).status_code == 400
    assert script.post("publish", body, twice).status_code == 400


def test_forged_signatures_and_unknown_keys_get_one_answer(script: Script, app: Flask) -> None:
    body = body_of(topic="shop.sold")
    right = signed(script.name, script.secret, body)
    key_for(app, "other")
    forged = [
        signed(script.name, "another secret", body),
        signed(script.name, script.secret, b"another body"),
        {**right, "seq": "77"},
        {**right, "nonce": "77"},
        {**right, "key": "other"},
        {**right, "signature": right["signature"].lower()},
        {**right, "signature": ""},
        {**right, "signature": "é"},
        signed("nobody", script.secret, body),
        signed("", script.secret, body),
    ]
    answers = [script.post("publish", body, query) for query in forged]
    assert {(*said_by(answer), answer.data) for answer in answers} == {(*said_by(answers[0]), answers[0].data)}
    assert said_by(answers[0]) == (401, "wampflask.error.bad_signature")
    assert answers[0].headers["WWW-Authenticate"].startswith("Signature")


def test_an_unknown_key_costs_what_a_known_one_does(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    signings: list[str] = []

    def count(secret: str, *signed_parts: Any) -> str:
        signings.append(secret)
        return signature(secret, *signed_parts)

    monkeypatch.setattr("wampflask.bridge.signature", count)
    body = body_of(topic="shop.sold")
    for name in (script.name, "nobody"):
        script.post("publish", body, signed(name, "wrong", body))
    assert [len(secret) for secret in signings] == [43, 43]


@pytest.mark.parametrize(("late", "status"), [(-290, 200), (290, 200), (310, 401), (-310, 401)])
def test_timestamps_of_five_minutes_are_taken(script: Script, late: float, status: int) -> None:
    body = body_of(topic="shop.sold")
    assert script.post("publish", body, signed(script.name, script.secret, body, late=late)).status_code == status


def test_a_key_ends_at_once_when_it_is_revoked_or_expires(script: Script, app: Flask, realm: MemoryRealm) -> None:
    assert realm.published == []
    short = Script(app, key_for(app, "short", expires=time.time() + 3600))
    assert short.ask("publish", topic="shop.sold").status_code == 200
    file = Path(app.instance_path) / "keys.json"
    kept = json.loads(file.read_text())
    file.write_text(json.dumps([{**key, "expires": key["expires"] and time.time()} for key in kept]))
    assert short.ask("publish", topic="shop.sold").status_code == 401
    assert script.ask("publish", topic="shop.sold").status_code == 200
    with app.app_context():
        issuer_of().keys.revoke("shell")
    assert script.ask("publish", topic="shop.sold").status_code == 401


def test_a_key_made_again_is_another_key(script: Script, app: Flask) -> None:
    with app.app_context():
        issuer_of().keys.revoke("shell")
    key_for(app)
    assert script.ask("publish", topic="shop.sold").status_code == 401


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("publish", {"topic": "shop.other"}),
        ("publish", {"topic": "shop.add"}),
        ("publish", {"topic": "shop.sold", "options": {"eligible_authid": ["user:7"]}}),
        ("publish", {"topic": "shop.sold", "options": {"forward_for": [{}]}}),
        ("publish", {"topic": "wamp.session.on_join"}),
        ("publish", {"topic": "wampflask.bridge.changed"}),
        ("call", {"procedure": "stock.count"}),
        ("call", {"procedure": "shop.mine.key_other"}),
        ("call", {"procedure": "wamp.session.list"}),
        ("call", {"procedure": "wampflask.router.rules"}),
        ("call", {"procedure": "shopping.add"}),
        ("subscribe", {"topic": "shop.sold", "url": "http://1.1.1.1/"}),
        ("subscribe", {"topic": "shop.", "match": "wildcard", "url": "http://1.1.1.1/"}),
        ("register", {"procedure": "shop.add", "url": "http://1.1.1.1/"}),
    ],
    ids=str,
)
def test_what_neither_role_nor_prefix_reaches_is_403(
    script: Script, realm: MemoryRealm, verb: str, said: dict[str, Any]
) -> None:
    assert said_by(script.ask(verb, **said)) == (403, "wamp.error.not_authorized")
    assert realm.published == []


def test_what_nobody_provides_is_404(script: Script) -> None:
    assert said_by(script.ask("call", procedure="shop.nobody")) == (404, "wamp.error.no_such_procedure")
    assert said_by(script.ask("call", procedure="shop.mine.key_shell")) == (404, "wamp.error.no_such_procedure")
    assert said_by(script.ask("unsubscribe", id="0" * 32)) == (404, "wamp.error.no_such_subscription")


def test_a_nonce_is_good_for_one_request(script: Script, realm: MemoryRealm) -> None:
    body = body_of(topic="shop.sold")
    query = signed(script.name, script.secret, body)
    answers = [script.post("publish", body, query) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 409, 409]
    assert said_by(answers[1]) == (409, "wampflask.error.replayed")
    assert script.post("call", body, query).status_code == 409
    assert len(realm.published) == 1


def test_nonces_are_forgotten_when_their_timestamp_is_too_old(script: Script, app: Flask) -> None:
    requests = app.extensions["wampflask_bridge"].requests
    requests.admit("shell", "1", time.time() - 1, time.time() - 400)
    requests._pruned = 0.0
    requests.admit("shell", "2", time.time() + 300, time.time())
    requests.admit("shell", "1", time.time() + 300, time.time())


def test_large_bodies_are_413_with_or_without_their_length(script: Script, realm: MemoryRealm) -> None:
    body = body_of(topic="shop.sold", args=["x" * 2048])
    assert said_by(script.post("publish", body)) == (413, "wamp.error.payload_size_exceeded")
    assert realm.published == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"]
)
def test_other_kinds_of_body_are_415(script: Script, kind: str) -> None:
    assert script.post("publish", body_of(topic="shop.sold"), content_type=kind).status_code == 415


def test_a_body_without_a_kind_is_json(script: Script) -> None:
    assert script.post("publish", body_of(topic="shop.sold"), content_type="").status_code == 200


def test_callees_errors_are_502_with_their_own_uri(script: Script) -> None:
    answer = script.ask("call", procedure="shop.closed")
    assert answer.status_code == 502
    assert answer.get_json() == {"error": "shop.error.closed", "args": ["At nine."], "kwargs": {"hour": 9}}
    answer = script.ask("call", procedure="shop.broken")
    assert said_by(answer) == (502, "wampflask.error.internal")
    assert b"secret" not in answer.data
    assert said_by(script.ask("call", procedure="shop.add", args=[1])) == (502, "wamp.error.invalid_argument")


def test_an_outage_is_503_and_says_when_to_try_again(script: Script, realm: MemoryRealm) -> None:
    realm.disconnect()
    for verb, said in (("publish", {"topic": "shop.sold"}), ("call", {"procedure": "shop.add", "args": [1, 2]})):
        answer = script.ask(verb, **said)
        assert said_by(answer) == (503, "wamp.close.transport_lost")
        assert int(answer.headers["Retry-After"]) > 0


def test_a_key_has_a_rate_over_all_requests(app: Flask, wamp: WAMP, tmp_path: Path) -> None:
    slow = Flask("slow", instance_path=str(tmp_path / "slow"))
    slow.config.update(of_library(tmp_path / "slow"), WAMP_RATE_LIMIT=1, WAMP_RATE_BURST=3)
    wamp.init_app(slow)
    bridge.init_app(slow)
    with in_memory(slow):
        one, other = Script(slow, key_for(slow)), Script(slow, key_for(slow, "other"))
        statuses = [one.ask("publish", topic="shop.sold").status_code for _ in range(5)]
        assert statuses[:3] == [200, 200, 200]
        assert 429 in statuses
        requests = slow.extensions["wampflask_bridge"].requests
        now = time.time() + 100
        for _ in range(3):
            requests.admit("shell", str(now := now + 0.001), now + 300, now)
        assert other.ask("publish", topic="shop.sold").status_code == 200
        answer = next(found for _ in range(9) if (found := one.ask("publish", topic="shop.sold")).status_code == 429)
        assert said_by(answer) == (429, "wampflask.error.too_fast")
        assert int(answer.headers["Retry-After"]) >= 1
    assert app is not slow


def test_the_same_idempotency_key_has_the_same_answer_and_acts_once(script: Script, realm: MemoryRealm) -> None:
    first, second = [script.ask("publish", "once-1", topic="shop.sold", args=[1]) for _ in range(2)]
    assert (first.status_code, first.get_json()) == (second.status_code, second.get_json())
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(realm.published) == 1
    assert said_by(script.ask("publish", "once-1", topic="shop.sold", args=[2])) == (
        422,
        "wampflask.error.other_request",
    )
    failed = [script.ask("call", "once-2", procedure="shop.closed") for _ in range(2)]
    assert [answer.status_code for answer in failed] == [502, 502]
    assert failed[0].get_json() == failed[1].get_json()
    assert script.ask("publish", "x" * 256, topic="shop.sold").status_code == 400


def test_keys_do_not_share_idempotency_keys(script: Script, app: Flask, realm: MemoryRealm) -> None:
    other = Script(app, key_for(app, "other"))
    for one in (script, other):
        assert one.ask("publish", "once", topic="shop.sold").status_code == 200
    assert len(realm.published) == 2


def test_what_did_nothing_can_be_sent_again(script: Script, app: Flask, realm: MemoryRealm) -> None:
    realm.disconnect()
    assert script.ask("publish", "once", topic="shop.sold").status_code == 503
    realm.connected = True
    assert script.ask("publish", "once", topic="shop.sold").status_code == 200
    assert script.ask("call", "twice", procedure="shop.nobody").status_code == 404
    realm.answer("shop.nobody", lambda: "somebody")
    assert script.ask("call", "twice", procedure="shop.nobody").get_json() == {"args": ["somebody"]}
    assert app.extensions["wampflask_bridge"].requests.last_used()["shell"] == pytest.approx(time.time(), abs=30)


def test_a_key_gets_a_ticket_without_sending_its_secret(script: Script, app: Flask) -> None:
    answer = script.ask("ticket")
    found = answer.get_json()
    assert (answer.status_code, found["role"], found["authid"]) == (200, "agent", "key:shell")
    ticket = app.extensions["wampflask_tickets"].tickets.verify(found["ticket"])
    assert list(ticket.scope) == ["shop"]


def test_a_blocked_key_is_403(script: Script, app: Flask) -> None:
    revocations.block(Path(app.instance_path) / revocations.BLOCKED_FILE, "key:shell", Block(None, "Too noisy."))
    answer = script.ask("publish", topic="shop.sold")
    assert said_by(answer) == (403, "wampflask.close.blocked")
    assert json.loads(answer.data)["message"] == "Too noisy."
