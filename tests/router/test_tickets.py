"""Flask's side of tickets: the key, who asks, ``/wamp/ticket``, the visitor's cookie, and revocation."""

from __future__ import annotations

import json
import multiprocessing
import secrets
import stat
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from wampflask import WAMP, Identity, prove, ticket_endpoint, tickets, user_authid
from wampflask.plugin import revocations
from wampflask.plugin.rules import Rules, Session
from wampflask.plugin.tickets import Tickets
from wampflask.revocations import revoke
from wampflask.testing import MemoryRealm
from wampflask.ticket_key import ensure_key
from wampflask.visitor_cookie import VISITOR_COOKIE

SECRET = "a secret of enough length"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = Flask("tickets_app", instance_path=str(tmp_path))
    ticket_endpoint.init_app(app, tickets=Tickets(SECRET, "realm", 60))

    @app.get("/who")
    def who() -> str:
        return tickets.visitor_authid() + " " + tickets.visitor_authid()

    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def fetch(client: FlaskClient, **headers: str) -> Any:
    response = client.get("/wamp/ticket", headers={name.replace("_", "-"): value for name, value in headers.items()})
    assert response.status_code == 200
    return response.get_json()


def test_a_visitor_gets_a_ticket_and_keeps_the_name(client: FlaskClient) -> None:
    """A new ticket for each connect, and the same authid by the cookie."""
    first, second = fetch(client), fetch(client)

    assert first["role"] == "visitor"
    assert first["authid"] == second["authid"]
    assert first["authid"].startswith("visitor:")
    assert len(first["authid"]) == len("visitor:") + 32
    assert first["realm"] == "realm"
    found = Tickets(SECRET, "realm").verify(first["ticket"])
    assert (found.role, found.authid) == ("visitor", first["authid"])


def test_visitors_are_not_each_other(app: Flask) -> None:
    """Also within one app context, as tests and commands have it."""
    with app.app_context():
        assert fetch(app.test_client())["authid"] != fetch(app.test_client())["authid"]


def test_the_answer_is_for_one_page_alone(client: FlaskClient) -> None:
    response = client.get("/wamp/ticket")

    assert response.headers["Cache-Control"] == "no-store"
    assert "Cookie" in response.headers["Vary"]
    assert "Access-Control-Allow-Origin" not in response.headers


def test_the_cookie_is_out_of_reach(app: Flask, client: FlaskClient) -> None:
    """Of scripts, and of other sites' forms; over https of the plain net too."""
    cookie = client.get("/wamp/ticket").headers["Set-Cookie"]
    assert cookie.startswith(f"{VISITOR_COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert "Set-Cookie" not in client.get("/wamp/ticket").headers

    assert "Secure" in app.test_client().get("/who", base_url="https://localhost").headers["Set-Cookie"]


@pytest.mark.parametrize("value", ["", "visitor", "IjEi.bad", "a.b.c", "\ud7ff"])
def test_a_forged_cookie_is_a_new_visitor(client: FlaskClient, value: str) -> None:
    """Nobody chooses a name, or takes another's."""
    client.set_cookie(VISITOR_COOKIE, value)

    assert VISITOR_COOKIE in client.get("/who").headers["Set-Cookie"]


def test_another_instances_cookie_is_a_new_visitor(client: FlaskClient, tmp_path: Path) -> None:
    """Cookies know no ports: two copies of a site on one host share them, and each has a key of its own."""
    other = Flask("other_app", instance_path=str(tmp_path))
    ticket_endpoint.init_app(other, tickets=Tickets(SECRET + "!", "realm", 60))
    guest = other.test_client()
    name = fetch(guest)["authid"]
    cookie = guest.get_cookie(VISITOR_COOKIE)
    assert cookie is not None
    client.set_cookie(VISITOR_COOKIE, cookie.value)

    assert fetch(client)["authid"] != name


def test_a_view_learns_the_same_name(client: FlaskClient) -> None:
    """Once in a request, and again in the next."""
    names = {*client.get("/who").text.split(), *client.get("/who").text.split(), fetch(client)["authid"]}

    assert len(names) == 1


def test_the_site_says_who_is_logged_in(app: Flask, client: FlaskClient) -> None:
    """Its hook may claim, and says None for visitors."""
    asks: list[Identity | None] = [Identity("admin", 1, team="red"), None]
    tickets.issuer_of(app).identify = lambda: asks.pop(0)

    found = Tickets(SECRET, "realm").verify(fetch(client)["ticket"])
    assert (found.role, found.authid, found.claims) == ("admin", "user:1", {"team": "red"})
    assert fetch(client)["role"] == "visitor"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "whatever"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:8081"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "http://evil.example"},
    ],
)
def test_pages_of_others_get_no_ticket(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.get("/wamp/ticket", headers={name.replace("_", "-"): value for name, value in headers.items()})

    assert response.status_code == 403
    assert "ticket" not in response.text
    assert "Set-Cookie" not in response.headers


def test_our_pages_and_programs_do(client: FlaskClient) -> None:
    for headers in ({"Sec_Fetch_Site": "same-origin", "Origin": "http://localhost"}, {"Sec_Fetch_Site": "none"}, {}):
        assert fetch(client, **headers)["ticket"]


def test_a_form_gets_no_ticket(client: FlaskClient) -> None:
    """A POST is for programs that have a key."""
    assert client.post("/wamp/ticket").status_code == 401


@pytest.mark.parametrize(
    ("base", "configured", "expected"),
    [
        ("http://localhost:8080", "", "ws://localhost:8081/ws"),
        ("http://192.168.1.5:8080", "", "ws://192.168.1.5:8081/ws"),
        ("https://polls.example", "", "wss://polls.example:8081/ws"),
        ("http://[::1]:8080", "", "ws://[::1]:8081/ws"),
        ("http://localhost:8080", "wss://polls.example/ws", "wss://polls.example/ws"),
    ],
)
def test_the_page_is_told_where_the_router_is(app: Flask, base: str, configured: str, expected: str) -> None:
    """Under the name by which the page itself was reached, unless it is configured."""
    tickets.issuer_of(app).public_url = configured

    assert app.test_client().get("/wamp/ticket", base_url=base).get_json()["url"] == expected


def test_an_app_without_tickets_is_told_what_is_missing() -> None:
    with Flask("bare").test_request_context(), pytest.raises(RuntimeError, match=r"call wamp\.init_app"):
        tickets.visitor_authid()


# the key


def test_the_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "instance"
    key = ensure_key(folder)

    assert len(key) == 64
    assert ensure_key(folder) == key
    assert stat.S_IMODE((folder / "ticket.key").stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == ["ticket.key"]


def test_a_configured_secret_becomes_the_key(tmp_path: Path) -> None:
    """So that the router, which reads the file, has the same."""
    ensure_key(tmp_path)

    assert ensure_key(tmp_path, "configured secret, long enough") == "configured secret, long enough"
    assert ensure_key(tmp_path) == "configured secret, long enough"
    assert stat.S_IMODE((tmp_path / "ticket.key").stat().st_mode) == 0o600


def _make_key(folder: str) -> str:
    return ensure_key(Path(folder))


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    """Gunicorn's workers and the router's command on a first start."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_make_key, [str(tmp_path)] * 16))) == 1


# revocation


def test_revocations_are_appended(tmp_path: Path) -> None:
    file = tmp_path / "revoked"
    revoke(file, "user:1", lifetime=60, now=5.0)
    revoke(file, "user:2", lifetime=60, now=6.25)

    assert file.read_text() == "user:1 5.0\nuser:2 6.25\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_old_revocations_go_when_the_file_is_large(tmp_path: Path) -> None:
    """A ticket of before then has expired anyway; whatever may still be used stays revoked."""
    file = tmp_path / "revoked"
    file.write_text("".join(revocations.line(f"user:{number}", 1000.0) for number in range(6000)))
    recent = revocations.line("user:7", 99_990.0)
    with file.open("a") as handle:
        handle.write(recent)

    revoke(file, "user:1", lifetime=60, now=100_000.0)

    assert revocations.parse(file.read_text()) == {"user:7": 99_990.0, "user:1": 100_000.0}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def _revoke_many(job: tuple[str, int]) -> None:
    file, worker = job
    for number in range(200):
        revoke(Path(file), f"user:{worker}_{number}", lifetime=60)


def test_processes_that_revoke_together_lose_nothing(tmp_path: Path) -> None:
    """Also while one of them drops old lines."""
    file = tmp_path / "revoked"
    file.write_text("".join(revocations.line(f"user:old{number}", 1000.0) for number in range(3500)))

    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(_revoke_many, [(str(file), worker) for worker in range(4)])

    found = revocations.parse(file.read_text())
    assert {f"user:{worker}_{number}" for worker in range(4) for number in range(200)} <= set(found)
    assert json.dumps(found)


# -- pages elsewhere


def page_app(folder: Path, **config: Any) -> Flask:
    app = Flask("pages_app", instance_path=str(folder))
    app.config.update(config)
    WAMP(app)
    app.extensions["wamp"] = MemoryRealm(app, app.extensions["wamp"])  # requests connect to nothing
    return app


def ask_as(app: Flask, origin: str, method: str = "GET") -> TestResponse:
    """As a browser's fetch of another origin does."""
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    return app.test_client().open("/wamp/ticket", method=method, headers=headers)


def test_pages_of_the_configured_origins_get_tickets(tmp_path: Path) -> None:
    app = page_app(tmp_path, WAMP_ORIGINS="http://localhost:5173 https://*.example")
    for origin in ("http://localhost:5173", "https://polls.example"):
        answer = ask_as(app, origin)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in answer.headers["Vary"]
        asked = ask_as(app, origin, "OPTIONS")
        assert asked.status_code == 200
        assert asked.headers["Access-Control-Allow-Origin"] == origin
        assert "X-Wamp-Proof" in asked.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("origin", ["http://localhost:5174", "https://localhost:5173", "https://example.evil", "null"])
def test_other_pages_get_none_and_the_log_names_the_remedy(
    tmp_path: Path, origin: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = page_app(tmp_path, WAMP_ORIGINS="http://localhost:5173 https://*.example")
    for _ in range(2):
        answer = ask_as(app, origin)
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Origin" not in ask_as(app, origin, "OPTIONS").headers
    (record,) = caplog.records
    assert origin in record.getMessage()
    assert "WAMP_ORIGINS" in record.getMessage()


def test_every_host_at_a_port_is_too_many_for_tickets(tmp_path: Path) -> None:
    app = page_app(tmp_path, WAMP_ORIGINS="http://*:5173")
    assert ask_as(app, "http://anybody:5173").status_code == 403


@pytest.mark.parametrize(
    ("page", "refused"),
    [("http://localhost:5000", False), ("http://10.0.0.7:8080", False), ("http://10.0.0.7:5000", True)],
)
def test_a_page_that_the_router_will_refuse_is_named_with_the_remedy(
    tmp_path: Path, page: str, refused: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = page_app(tmp_path)
    assert app.test_cli_runner().invoke(args=["wamp", "router", "render"]).exit_code == 0
    for _ in range(2):
        assert app.test_client().get("/wamp/ticket", base_url=page).status_code == 200
    told = [record.getMessage() for record in caplog.records if "The router refuses" in record.getMessage()]
    assert len(told) == int(refused)
    assert not refused or f"WAMP_ORIGINS={page} " in told[0]


def test_a_proof_of_what_matches_nothing_is_refused(app: Flask) -> None:
    with app.test_request_context("/"), pytest.raises(ValueError, match="tab='a-b' would match nothing"):
        prove(tab="a-b")


# -- claims of several values


@pytest.mark.parametrize("user", [17, "ann@example.org", "17", "a b"])
def test_an_identity_takes_any_id(user: object) -> None:
    assert Identity("user", user).authid == user_authid(user)


def test_an_identity_claims_lists() -> None:
    assert Identity("staff", 1, team=[1, "red", 1], host="web1", none=()).claims == {
        "team": ["1", "red"],
        "host": "web1",
        "none": [],
    }
    assert Identity("agent", authid="agent:web1").authid == "agent:web1"


@pytest.mark.parametrize(
    ("who", "claims", "why"),
    [
        ((), {}, "has the id of a user"),
        ((1,), {"authid": "user:1"}, "has the id of a user"),
        (("user:1",), {}, "is an authid, not the id"),
        ((1,), {"team": ["red-team"]}, "team='red-team' would match nothing"),
        ((1,), {"team": [[1]]}, "would match nothing"),
        ((1,), {"team": True}, "would match nothing"),
        ((1,), {"team": -1}, "would match nothing"),
        ((1,), {"team": None}, "would match nothing"),
        ((1,), {"session": "1"}, "other than authid and session"),
        ((1,), {"team": range(3)}, "would match nothing"),
        ((1,), {"team": list(range(201))}, "has 201 values; 200 are the most"),
    ],
)
def test_what_an_identity_cannot_be(who: tuple[Any, ...], claims: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Identity("user", *who, **claims)


def test_claims_fit_a_ticket() -> None:
    minted = Tickets(SECRET, "realm").mint("user", "user:1", team=list(range(200)))
    assert len(minted) <= 4096
    with pytest.raises(ValueError, match="claim less"):
        Tickets(SECRET, "realm").mint("user", "user:1", team=[secrets.token_hex(16) for _ in range(200)])


def test_any_of_several_values_will_do() -> None:
    def may(uri: str, claims: dict[str, Any], action: str = "subscribe") -> bool:
        asking = Session.of({"authrole": "user", "authid": "user:1", "session": 77, "authextra": {"claims": claims}})
        return rules.decide(asking, uri, action, {"match": "wildcard"} if ".." in uri else {}).allow

    rules = Rules(
        [
            {"uri": "todo.team.{team}", "subscribe": ["user"]},
            {"uri": "todo.ask.{session}", "register": ["user"]},
        ]
    )
    assert may("todo.team.1", {"team": ["1", "12"]})
    assert may("todo.team.12", {"team": ["1", "12"]})
    assert may("todo.team.1", {"team": "1"})
    for other in ("2", "", "{team}", "112"):
        assert not may(f"todo.team.{other}", {"team": ["1", "12"]})
    assert not may("todo.team.2", {"team": "12"}), "a word is no list of its letters"
    assert not may("todo.team.1", {"team": []})
    assert not may("todo.team.1", {})
    assert not may("todo..1", {"team": ["1"]})
    assert may("todo.ask.77", {}, "register")
    assert not may("todo.ask.78", {"session": "78"}, "register")
