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
from wampflask.apps import health
from wampflask.apps.extensions import db
from wampflask.in_memory import MemoryRealm, in_memory
from wampflask.meta import Health, Meta


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
    assert re.fullmatch(rf"'self' 'sha256-[^' ]+' 'nonce-{nonces.pop()}'", rules["script-src"])
    assert rules["script-src-attr"] == "'unsafe-inline'"
    assert policy(admin.get("/admin/questions/"))["script-src"] != rules["script-src"]


def test_no_page_has_inline_script(app: Flask, admin: Visitor) -> None:
    question, _ = ask(app)
    for path in ("/", "/polls/", "/polls/new", "/change", f"/polls/{question}/", f"/polls/{question}/present"):
        page = admin.get(path).text
        assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", page) == ['<script type="importmap">'], path
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
    assert "Something went wrong" in answer.text
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


def test_health_needs_a_way_through_the_router(
    app: Flask, realm: MemoryRealm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[float] = []

    def stopped(_meta: Meta, timeout: float) -> Health:
        asked.append(timeout)
        return Health("the router has not answered")

    monkeypatch.setattr(Meta, "health", stopped)
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.json) == (503, {"database": "ok", "wamp": "silent"})
    assert asked == [health.PATIENCE]
    assert "No way through the router: the router has not answered" in caplog.text


@pytest.mark.sqlite
def test_health_needs_room_for_the_database(
    app: Flask, realm: MemoryRealm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "ROOM", 2**62)  # more than any disk has free
    answer = app.test_client().get("/healthz")
    assert answer.status_code == 503
    assert answer.json == {"database": "full", "wamp": "ready"}
    assert "bytes are free" in caplog.text


@pytest.mark.sqlite
def test_health_needs_a_database_that_can_be_written(instance: Path) -> None:
    file = instance / "wampflask.db"
    app = make(instance, WAMPFLASK_DATABASE_URL=f"sqlite:///file:{file}?mode=ro&uri=true")
    with in_memory(app):
        answer = app.test_client().get("/healthz")
        assert app.test_client().get("/polls/").status_code == 200, "pages are shown"
    assert answer.status_code == 503
    assert answer.json == {"database": "read-only", "wamp": "ready"}


def test_health_writes_nothing(app: Flask, instance: Path, realm: MemoryRealm) -> None:
    client = app.test_client()
    client.get("/healthz")
    before = [(file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(instance.glob("wampflask.db*"))]
    for _ in range(20):
        assert client.get("/healthz").status_code == 200
    assert [(f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(instance.glob("wampflask.db*"))] == before


def test_health_without_a_database(instance: Path, tmp_path: Path) -> None:
    app = make(instance, WAMPFLASK_DATABASE_URL=f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    with in_memory(app):
        answer = app.test_client().get("/healthz")
    assert answer.status_code == 503
    assert answer.json == {"database": "unavailable", "wamp": "ready"}


@pytest.mark.filterwarnings("ignore:Yielding raw tuples from iter_choices:DeprecationWarning")  # Flask-Admin's
@pytest.mark.filterwarnings("ignore:Passing SelectField choices as tuples:DeprecationWarning")
def test_what_is_not_for_everybody_is_kept_by_nobody(app: Flask, admin: Visitor) -> None:
    ask(app)
    visitor = Visitor(app)
    private = []
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<int:question_id>", "1").replace("<export_type>", "csv")
        if "GET" not in (rule.methods or set()) or "<" in path:
            continue
        refused = visitor.get(path)
        if refused.status_code in (302, 401) and "/login" in refused.headers.get("Location", "/login"):
            private.append(path)
            for answer in (refused, admin.get(path)):
                assert answer.headers.get("Cache-Control") == "private, no-store", path
    assert {"/dashboard/", "/hosts/add", "/admin/", "/admin/user/", "/polls/new", "/change", "/metrics"} <= set(private)
    for path in ("/login", "/hosts/nobody/", "/hosts/nobody/history.json"):
        assert admin.get(path).headers["Cache-Control"] == "private, no-store", path


def test_pages_that_everybody_sees_may_be_kept(visitor: Visitor) -> None:
    assert "Cache-Control" not in visitor.get("/polls/").headers


def test_every_cache_control_is_made_of_directives(app: Flask, admin: Visitor) -> None:
    question, _ = ask(app)
    pages = ("/login", "/change", "/", "/healthz", "/wamp/ticket", f"/polls/{question}/qr.svg", "/static/css/base.css")
    directive = re.compile(r"(private|public|no-store|no-cache|max-age=\d+|immutable)")
    for path in pages:
        with admin.get(path) as answer:
            values = answer.headers.get("Cache-Control", "no-cache").split(", ")
            assert [value for value in values if not directive.fullmatch(value)] == [], path


def test_the_icon(visitor: Visitor) -> None:
    with visitor.get("/favicon.ico", follow_redirects=True) as answer:
        assert answer.status_code == 200
        assert answer.mimetype == "image/svg+xml"


@pytest.mark.parametrize(
    ("config", "taken", "refused"),
    [
        ({}, ["anything.example", "192.0.2.7", "localhost"], []),
        ({"WAMP_PUBLIC_URL": "wss://live.example/ws"}, ["anything.example"], []),
        (
            {"WAMPFLASK_PUBLIC_URL": "https://polls.example"},
            ["polls.example", "polls.example:8080", "POLLS.example", "localhost:8080", "127.0.0.1", "[::1]:8080"],
            ["evil.example", "polls.example.evil.example", "xpolls.example", "192.0.2.7", "localhost.evil.example"],
        ),
        (
            {"WAMPFLASK_HOSTS": "one.example [2001:db8::1] 192.0.2.7"},
            ["one.example", "[2001:db8::1]:80", "192.0.2.7:8080"],
            ["two.example", "[2001:db8::2]"],
        ),
    ],
)
def test_names_of_the_site(instance: Path, config: dict[str, str], taken: list[str], refused: list[str]) -> None:
    app = make(instance, **config)
    with in_memory(app):
        ask(app)
        client = app.test_client()
        for path in ("/polls/1/present", "/polls/1/qr.svg", "/wamp/ticket", "/nowhere"):
            for host in taken:
                assert client.get(path, headers={"Host": host}).status_code in (200, 404), host
            for host in refused:
                answer = client.get(path, headers={"Host": host})
                assert answer.status_code == 400, host
                assert "ticket" not in (answer.json or {}) if answer.is_json else "WAMPFLASK_HOSTS" in answer.text


def test_a_load_balancer_may_ask_by_any_name(instance: Path) -> None:
    app = make(instance, WAMPFLASK_HOSTS="polls.example")
    with in_memory(app):
        assert app.test_client().get("/healthz", headers={"Host": "10.1.2.3:8080"}).status_code == 200


def test_a_forwarded_name_is_checked_too(instance: Path) -> None:
    app = make(instance, WAMPFLASK_PROXIES=1, WAMPFLASK_HOSTS="polls.example")
    with in_memory(app):
        for name, code in (("polls.example", 200), ("evil.example", 400)):
            assert app.test_client().get("/", headers={"X-Forwarded-Host": name}).status_code == code
