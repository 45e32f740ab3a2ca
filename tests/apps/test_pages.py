"""What every answer of the site has: headers, cookies, error pages; and its health."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from flask import Flask, abort
from sqlalchemy import text

from tests.apps.conftest import make
from tests.apps.visiting import Visitor, ask
from wampflask.apps.extensions import db
from wampflask.memory import MemoryRealm, in_memory


def policy(answer: object) -> dict[str, str]:
    header: str = answer.headers["Content-Security-Policy"]  # type: ignore[attr-defined]
    return dict(rule.split(" ", 1) for rule in header.split("; "))


@pytest.mark.parametrize("path", ["/", "/polls/", "/login", "/nowhere", "/healthz", "/static/css/tokens.css"])
def test_headers(app: Flask, realm: MemoryRealm, visitor: Visitor, path: str) -> None:
    answer = visitor.get(path)
    rules = policy(answer)
    assert rules["default-src"] == "'self'"
    assert rules["connect-src"] == "'self' ws://localhost:8081"
    assert rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in answer.headers
    answer.close()


def test_headers_over_tls(visitor: Visitor) -> None:
    answer = visitor.get("/", base_url="https://polls.example")
    assert policy(answer)["connect-src"] == "'self' wss://polls.example:8081"
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_public_address_of_the_router(instance: Path) -> None:
    app = make(instance, WAMP_PUBLIC_URL="wss://live.example/ws")
    with in_memory(app):
        assert policy(app.test_client().get("/"))["connect-src"] == "'self' wss://live.example"


def test_behind_a_proxy(instance: Path) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "polls.example"}
    for proxies, origin in ((1, "wss://polls.example:8081"), (0, "ws://localhost:8081")):
        app = make(instance, WAMPFLASK_PROXIES=proxies)
        with in_memory(app):
            answer = app.test_client().get("/", headers=forwarded)
        assert policy(answer)["connect-src"] == f"'self' {origin}"


def test_the_admin_may_have_what_its_lists_need(admin: Visitor) -> None:
    answer = admin.get("/admin/questions/")
    rules = policy(answer)
    nonces = set(re.findall(r'nonce="([^"]+)"', answer.text))
    assert nonces
    assert rules["script-src"] == f"'self' 'nonce-{nonces.pop()}'"
    assert rules["script-src-attr"] == "'unsafe-inline'"
    assert policy(admin.get("/admin/questions/"))["script-src"] != rules["script-src"]


def test_no_page_has_inline_script(app: Flask, admin: Visitor) -> None:
    question, _ = ask(app)
    for path in ("/", "/polls/", "/polls/new", "/change", f"/polls/{question}/", f"/polls/{question}/present"):
        page = admin.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", page), path
        assert not re.search(r"\son[a-z]+=", page), path
        assert "<style" not in page, path
        assert not re.search(r'\sstyle="', page), path


def test_cookies(visitor: Visitor) -> None:
    visitor.get("/polls/")
    visitor.get("/login")
    visitor.get("/wamp/ticket")
    cookies = {cookie.key: cookie for cookie in visitor.cookies()}
    assert set(cookies) == {"wampflask_session", "wampflask_visitor"}
    for cookie in cookies.values():
        assert cookie.http_only
        assert cookie.same_site == "Lax"


def test_an_unexpected_error_shows_its_number_and_nothing_else(
    instance: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = make(instance, PROPAGATE_EXCEPTIONS=False)

    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("the password is swordfish")

    with in_memory(app), caplog.at_level(logging.ERROR):
        answer = app.test_client().get("/broken")
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    assert "RuntimeError" not in answer.text
    number = re.search(r"\b[0-9a-f]{8}\b", answer.text)
    assert number
    record = next(record for record in caplog.records if number[0] in record.getMessage())
    assert record.exc_info
    assert "swordfish" in str(record.exc_info[1])


def test_without_a_database_there_are_still_words(instance: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = make(instance, PROPAGATE_EXCEPTIONS=False)
    with in_memory(app):
        visitor = Visitor(app).log_in()
        with app.app_context():
            db.session.execute(text("DROP TABLE roles_users"))
            db.session.execute(text('DROP TABLE "user"'))
            db.session.commit()
        answer = visitor.get("/polls/")
    assert answer.status_code == 500
    assert "Our mistake" in answer.text
    assert "no such table" not in answer.text
    assert caplog.records


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 409, 413, 418, 422, 429, 500, 503])
def test_every_status_has_its_page(app: Flask, realm: MemoryRealm, code: int) -> None:
    app.add_url_rule("/status", view_func=lambda: abort(code))
    page = app.test_client().get("/status")
    assert page.status_code == code
    assert page.mimetype == "text/html"
    assert "<h1" in page.text
    program = app.test_client().get("/status", headers={"Accept": "application/json"})
    assert program.status_code == code
    assert program.json is not None
    assert set(program.json) == {"error", "message"}


def test_our_own_words_are_shown_as_text(app: Flask, realm: MemoryRealm) -> None:
    app.add_url_rule("/no", view_func=lambda: abort(403, "Not <b>here</b>."))
    assert "Not &lt;b&gt;here&lt;/b&gt;." in app.test_client().get("/no").text


def test_a_wrong_method_says_which_are_right(visitor: Visitor) -> None:
    answer = visitor.client.delete("/polls/")
    assert answer.status_code in (400, 405)
    answer = visitor.get("/logout")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_health(app: Flask, realm: MemoryRealm) -> None:
    client = app.test_client()
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json == {"database": "ok", "wamp": "ready"}
    assert answer.headers["Cache-Control"] == "no-store"
    realm.disconnect()
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json == {"database": "ok", "wamp": "connecting"}


def test_health_without_a_database(instance: Path, tmp_path: Path) -> None:
    app = make(instance, WAMPFLASK_DATABASE_URL=f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    with in_memory(app):
        answer = app.test_client().get("/healthz")
    assert answer.status_code == 503
    assert answer.json == {"database": "unavailable", "wamp": "ready"}
