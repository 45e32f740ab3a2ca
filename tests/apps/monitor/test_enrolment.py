"""``POST /clients/``: who may join, who is known, and that nothing is created by those who may not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from tests.apps.monitor.hosts import NASTY, FakeHost, new_token
from wampflask.apps.extensions import db
from wampflask.apps.monitor.intake.models import EnrolToken
from wampflask.apps.monitor.models import Host
from wampflask.in_memory import MemoryRealm
from wampflask.tickets import issuer_of


def count(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count(Host.id))) or 0


def change(app: Flask, model: Any, **values: Any) -> None:
    with app.app_context():
        db.session.execute(update(model).values(**values))
        db.session.commit()


@pytest.fixture
def host(app: Flask, realm: MemoryRealm) -> FakeHost:
    return FakeHost(app)


def test_a_new_host_is_created_with_defaults_and_a_ticket_for_itself(app: Flask, host: FakeHost) -> None:
    answer = host.post(token=new_token(app))
    assert answer.status_code == 201
    found = answer.json or {}
    seeds = ("show_cpus", "show_memory", "show_disk", "disabled", "frequency")
    assert {name: found[name] for name in seeds} == {
        "show_cpus": True, "show_memory": True, "show_disk": True, "disabled": False, "frequency": 5.0,
    }  # fmt: skip
    with app.app_context():
        claims = issuer_of().tickets.verify(found["ticket"])
    assert (claims.role, claims.authid, dict(claims.claims)) == ("agent", f"agent:{host.host}", {"host": host.host})
    assert found["url"].startswith("ws://")
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_known_host_gets_its_config_without_a_token(app: Flask, host: FakeHost) -> None:
    host.enrol()
    change(app, Host, show_cpus=False, frequency=60.0)
    answer = host.post()
    assert answer.status_code == 200
    assert (answer.json or {})["show_cpus"] is False
    assert (answer.json or {})["frequency"] == 60.0
    assert count(app) == 1


def test_the_secrets_are_not_in_the_database(app: Flask, host: FakeHost) -> None:
    token = new_token(app)
    host.post(token=token)
    with app.app_context():
        dump = str([db.session.execute(table.select()).all() for table in db.metadata.sorted_tables])
    assert token not in dump
    assert host.key not in dump
    assert host.name in dump


def test_no_token_looks_like_an_option(app: Flask) -> None:
    assert all(new_token(app).isalnum() for _ in range(200)), "one that begins with a dash cannot follow --token"


def test_a_one_time_token_is_for_one_host(app: Flask, host: FakeHost) -> None:
    token = new_token(app)
    assert host.post(token=token).status_code == 201
    assert host.post(token=token).status_code == 200  # the same host: no second use
    refused = FakeHost(app).post(token=token)
    assert (refused.status_code, (refused.json or {})["error"]) == (403, "token_used")
    assert count(app) == 1


def test_a_reusable_token_is_for_many(app: Flask, realm: MemoryRealm) -> None:
    token = new_token(app, reusable=True)
    assert [FakeHost(app).post(token=token).status_code for _ in range(3)] == [201, 201, 201]


@pytest.mark.parametrize(
    ("state", "error"), [({"revoked": True}, "token_revoked"), ({"token_hash": "x" * 64}, "token_invalid")]
)
def test_bad_tokens(app: Flask, host: FakeHost, state: dict[str, Any], error: str) -> None:
    token = new_token(app)
    change(app, EnrolToken, **state)
    answer = host.post(token=token)
    assert (answer.status_code, (answer.json or {})["error"]) == (403, error)
    assert (answer.json or {})["reason"]
    assert count(app) == 0


def test_an_expired_token(app: Flask, host: FakeHost) -> None:
    answer = host.post(token=new_token(app, lifetime=timedelta(seconds=-1)))
    assert (answer.status_code, (answer.json or {})["error"]) == (403, "token_expired")


def test_an_unknown_host_without_a_token(app: Flask, host: FakeHost) -> None:
    answer = host.post()
    assert (answer.status_code, (answer.json or {})["error"]) == (401, "token_missing")
    assert count(app) == 0


def test_a_foreign_id(app: Flask, host: FakeHost) -> None:
    host.enrol()
    answer = host.post(key="0" * 64, token=new_token(app, reusable=True))
    assert (answer.status_code, (answer.json or {})["error"]) == (403, "key_wrong")
    assert "ticket" not in (answer.json or {})


def test_a_host_that_was_shut_out(app: Flask, host: FakeHost) -> None:
    host.enrol()
    change(app, Host, revoked=True)
    assert (host.post().json or {})["error"] == "host_revoked"


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "../../etc"}, {"host": "A" * 32}, {"host": None}, {"host": 7}, {"key": "short"}, {"key": None},
        {"name": ["x"]}, {"ip": {"a": 1}}, {"token": 5},
    ],
)  # fmt: skip
def test_fields_that_cannot_be(app: Flask, host: FakeHost, changes: dict[str, Any]) -> None:
    answer = host.post(**{"token": new_token(app), **changes})
    assert (answer.status_code, (answer.json or {})["error"]) == (400, "invalid")
    assert count(app) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"x"', b"x" * 9000])
def test_garbage(app: Flask, realm: MemoryRealm, body: bytes) -> None:
    answer = app.test_client().post("/clients/", data=body, content_type="application/json")
    assert answer.status_code in (400, 413)
    assert (answer.json or {})["error"] == "invalid"
    assert count(app) == 0


def test_long_and_nasty_names_are_kept_as_short_text(app: Flask, host: FakeHost) -> None:
    host.post(token=new_token(app), name=NASTY + "\n\x00" + "x" * 500)
    with app.app_context():
        name = db.session.scalar(select(Host.reported_name)) or ""
    assert name.startswith(NASTY)
    assert len(name) == 120
    assert name.isprintable()


def test_who_guesses_is_slowed_down(app: Flask, host: FakeHost) -> None:
    codes = [host.post("198.51.100.1", token="x" * 20).status_code for _ in range(35)]
    assert codes[-1] == 429
    assert host.post("198.51.100.2", token=new_token(app)).status_code == 201
