"""An app with Flask-Login and nothing else: tickets, ``current_user`` in handlers, and log-out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, g, has_request_context, request
from flask.testing import FlaskClient
from flask_login import AnonymousUserMixin, LoginManager, UserMixin, current_user, login_user, logout_user

from wampflask import WAMP, Caller, Identity, user_authid
from wampflask.testing import MemoryRealm, in_memory

UUID_ID = str(UUID("550e8400-e29b-41d4-a716-446655440000"))
IDS = ["7", UUID_ID, "Ann.O'Neil+1@example.org", "jürgen_ß", "00ff", "_", "a b", "用户"]


class User(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    def __init__(self, user_id: str) -> None:
        self.id = user_id


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def loaded() -> list[str]:
    """The ids that Flask-Login's user_loader was asked for."""
    return []


@pytest.fixture
def app(wamp: WAMP, loaded: list[str], tmp_path: Path) -> Flask:
    app = Flask("logins", instance_path=str(tmp_path))
    app.secret_key = "a key for tests"
    wamp.init_app(app)
    manager = LoginManager(app)

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(user_id: str) -> User | None:
        loaded.append(user_id)
        return User(user_id) if user_id != "gone" else None

    @app.post("/login/<path:user_id>")
    def login(user_id: str) -> str:
        login_user(User(user_id))
        return ""

    @app.post("/logout")
    def logout() -> str:
        logout_user()
        return ""

    @wamp.register("demo.who")
    def who() -> Any:
        return current_user.get_id() if current_user.is_authenticated else None

    @wamp.register("demo.quiet")
    def quiet() -> str:
        return "done"

    return app


@pytest.fixture
def realm(app: Flask) -> Iterator[MemoryRealm]:
    with in_memory(app) as realm:
        yield realm


@pytest.fixture
def client(app: Flask, realm: MemoryRealm) -> FlaskClient:
    return app.test_client()


def ticket(client: FlaskClient) -> tuple[str, str]:
    found = client.get("/wamp/ticket").get_json()
    return found["role"], found["authid"]


def as_user(user_id: str) -> Caller:
    return Caller(2, user_authid(user_id), "user", "demo.who")


@pytest.mark.parametrize("user_id", IDS)
def test_an_authid_says_who_it_is_and_can_stand_in_a_uri(user_id: str) -> None:
    authid = user_authid(user_id)
    assert Caller(authid=authid).user_id == user_id
    kind, _, name = authid.partition(":")
    assert kind == "user"
    assert set(name) <= set("0123456789abcdefghijklmnopqrstuvwxyz_")


def test_plain_ids_stay_as_they_are() -> None:
    assert user_authid(17) == "user:17"
    assert len({user_authid(user_id) for user_id in (*IDS, "jurgen_ss", "a_20b", "5F")}) == len(IDS) + 3


@pytest.mark.parametrize("user_id", ["", "x" * 101, "@" * 34])
def test_ids_that_fit_no_ticket_are_refused(user_id: str) -> None:
    with pytest.raises(ValueError, match="too long for an authid"):
        user_authid(user_id)


@pytest.mark.parametrize("authid", [None, "backend", "visitor:7", "user", "user:", "user:a_", "user:_zz", "user:_ff"])
def test_nobody_else_has_a_user_id(authid: str | None) -> None:
    assert Caller(authid=authid).user_id is None


@pytest.mark.parametrize("user_id", IDS)
def test_the_ticket_says_who_is_logged_in(client: FlaskClient, user_id: str) -> None:
    assert ticket(client)[0] == "visitor"
    client.post(f"/login/{user_id}")
    assert ticket(client) == ("user", user_authid(user_id))
    client.post("/logout")
    assert ticket(client)[0] == "visitor"


@pytest.mark.parametrize("user_id", IDS)
def test_handlers_have_the_caller_as_current_user(realm: MemoryRealm, loaded: list[str], user_id: str) -> None:
    assert realm.invoke("demo.who", caller=as_user(user_id)) == user_id
    assert loaded == [user_id], "asked once"


def test_who_is_no_user_is_anonymous(app: Flask, wamp: WAMP, realm: MemoryRealm, loaded: list[str]) -> None:
    assert realm.invoke("demo.who") is None
    assert realm.invoke("demo.who", caller=as_user("gone")) is None
    with app.app_context():
        assert wamp.call("demo.who") is None
    assert loaded == ["gone"]


def test_the_user_is_loaded_only_where_it_is_asked_for(realm: MemoryRealm, loaded: list[str]) -> None:
    assert realm.invoke("demo.quiet", caller=as_user("7")) == "done"
    assert loaded == []


def test_events_have_their_publisher(app: Flask, wamp: WAMP, realm: MemoryRealm) -> None:
    heard: list[Any] = []
    wamp.subscribe("demo.event")(lambda: heard.append(current_user.is_authenticated))
    with app.app_context():
        wamp.publish("demo.event")
    assert heard == [False]


def test_the_login_of_a_page_does_not_reach_a_handler(app: Flask, wamp: WAMP, client: FlaskClient) -> None:
    """A view that calls a procedure is a backend there, whoever looks at the page."""
    app.add_url_rule("/ask", "ask", lambda: {"who": wamp.call("demo.who"), "page": current_user.get_id()})
    client.post("/login/7")
    assert client.get("/ask").get_json() == {"who": None, "page": "7"}


def test_a_loader_may_ask_who_is_there(app: Flask, wamp: WAMP, realm: MemoryRealm) -> None:
    @wamp.user_loader
    def load(user_id: str) -> User:
        assert isinstance(current_user._get_current_object(), AnonymousUserMixin)
        return User(user_id + "!")

    assert realm.invoke("demo.who", caller=as_user("7")) == "7!"


def test_g_and_request_are_the_handlers_own(app: Flask, wamp: WAMP, realm: MemoryRealm) -> None:
    @wamp.register("demo.look")
    def look() -> list[Any]:
        g.mine = 1
        return [g.mine, "theirs" in g, g.get("theirs"), hasattr(g, "nothing"), has_request_context(), request.path]

    with app.app_context():
        g.theirs = 2
        assert wamp.call("demo.look") == [1, False, None, False, True, "/"]
        assert "mine" not in g


def test_an_apps_own_answer_comes_first(wamp: WAMP, client: FlaskClient, realm: MemoryRealm) -> None:
    who: list[Identity | None] = [Identity("admin", "boss"), None]
    wamp.identify(lambda: who.pop(0))
    client.post("/login/7")
    assert ticket(client) == ("admin", "user:boss")
    assert ticket(client)[0] == "visitor"
    client.post("/logout")
    assert realm.revoked == [], "the app alone knows its authids"


def test_log_out_ends_what_the_login_had_open(
    app: Flask, client: FlaskClient, realm: MemoryRealm, caplog: pytest.LogCaptureFixture
) -> None:
    for user_id in ("7", UUID_ID):
        client.post(f"/login/{user_id}")
        client.post("/logout")
    assert realm.revoked == ["user:7", user_authid(UUID_ID)]
    assert "user:7" in (Path(app.instance_path) / "revoked").read_text()
    client.post(f"/login/{'@' * 200}")
    with caplog.at_level(logging.WARNING):
        assert client.post("/logout").status_code == 200
    assert "not ended" in caplog.text
