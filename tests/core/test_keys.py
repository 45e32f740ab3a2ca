"""Keys of programs: made once, kept as hashes, good for tickets that reach no further than they should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_wtf.csrf import CSRFProtect

from wampflask import WAMP, Permission
from wampflask.keys import Keys
from wampflask.router.wire import CALL, ERROR, GOODBYE, SUBSCRIBE, SUBSCRIBED, Wire
from wampflask.testing import RouterNode

PERMISSIONS = (
    Permission("shop.stock.<item>", subscribe="agent"),
    Permission("shop.stocked", subscribe="agent"),
    Permission("shop.price.<item>", subscribe="agent"),
)


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(PERMISSIONS, rate=0) as running:
        yield running


@pytest.fixture(params=["before", "after"])
def app(request: pytest.FixtureRequest, node: RouterNode, tmp_path: Path) -> Flask:
    """Protected by Flask-WTF, made before or after the WAMP."""
    app = Flask("keys_app", instance_path=str(tmp_path))
    app.secret_key = "a key for tests"
    app.config.update(node.config)
    if request.param == "before":
        CSRFProtect(app)
    WAMP(app)
    if request.param == "after":
        CSRFProtect(app)
    app.post("/form")(lambda: "sent")
    return app


def run(app: Flask, *args: str) -> Any:
    return app.test_cli_runner().invoke(args=["wamp", "key", *args])


def fetch(app: Flask, authorization: str = "", **headers: str) -> Any:
    sent = {"Authorization": authorization, **headers} if authorization else headers
    return app.test_client().post("/wamp/ticket", headers=sent)


def test_a_program_joins_with_its_key(app: Flask, node: RouterNode) -> None:
    made = run(app, "create", "stock_bot", "--role", "agent", "--uri", "shop.stock", "--uri", "shop.price.tea")
    key = made.output.strip()
    assert (made.exit_code, key.startswith("stock_bot.")) == (0, True), made.output

    answer = fetch(app, f"Bearer {key}")
    assert answer.status_code == 200
    found = answer.get_json()
    assert (found["role"], found["authid"], found["realm"]) == ("agent", "key:stock_bot", node.realm)
    assert answer.headers["Cache-Control"] == "no-store"
    with Wire(node.ws_url) as wire:
        wire.join(node.realm, found["ticket"])
        assert wire.ask(SUBSCRIBE, "shop.stock.tea")[0] == SUBSCRIBED
        assert wire.ask(SUBSCRIBE, "shop.stock.", options={"match": "wildcard"})[0] == SUBSCRIBED
        assert wire.ask(SUBSCRIBE, "shop.price.tea")[0] == SUBSCRIBED
        for beyond in ("shop.stocked", "shop.price.coffee"):
            assert wire.ask(SUBSCRIBE, beyond)[0] == ERROR
        for beyond in ("shop.price.", "shop..tea"):
            assert wire.ask(SUBSCRIBE, beyond, options={"match": "wildcard"})[0] == ERROR


def test_only_the_hash_is_kept(app: Flask) -> None:
    key = run(app, "create", "one", "--role", "agent").output.strip()
    file = Path(app.instance_path) / "keys.json"
    assert key.split(".")[1] not in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600
    assert run(app, "list").output.split() == ["one", "agent", *["all", "that", "its", "role", "may"]]


@pytest.mark.parametrize(
    "wrong",
    ["", "Bearer", "Bearer ", "Bearer one", "Bearer one.x", "Bearer .", "Basic b25lOng=", "Bearer two.{}", "{}"],
)
def test_what_is_no_key_gets_no_ticket(app: Flask, wrong: str) -> None:
    key = run(app, "create", "one", "--role", "agent").output.strip()
    answer = fetch(app, wrong.format(key.split(".")[1]))
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.get_json()["error"] == "wampflask.error.ticket_invalid"
    assert fetch(app, f"bearer  {key} ").status_code == 200


def test_other_forms_stay_protected(app: Flask) -> None:
    assert app.test_client().post("/form").status_code == 400


def test_a_revoked_key_ends_its_sessions(app: Flask, node: RouterNode) -> None:
    app.instance_path = str(node.folder)
    app.extensions["wampflask_tickets"].keys = Keys(node.folder, node.secret)
    app.extensions["wampflask_tickets"].instance = node.folder
    key = run(app, "create", "short_lived", "--role", "agent").output.strip()
    ticket = fetch(app, f"Bearer {key}").get_json()["ticket"]
    with Wire(node.ws_url) as wire:
        wire.join(node.realm, ticket)
        assert wire.ask(CALL, "shop.nothing")[0] == ERROR
        revoked = run(app, "revoke", "short_lived")
        assert revoked.exit_code == 0, revoked.output
        goodbye = wire.receive(5)
        assert (goodbye[0], goodbye[2]) == (GOODBYE, "wampflask.close.revoked")
    assert fetch(app, f"Bearer {key}").status_code == 401
    assert run(app, "revoke", "short_lived").exit_code == 1


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("One", "--role", "agent"), "cannot be a key's name"),
        (("one", "--role", "backend"), "There is no role 'backend'; the roles are visitor, user, admin, agent."),
        (("one", "--role", "agent", "--uri", "wamp.session"), "reserved word"),
        (("one", "--role", "agent", "--uri", "shop."), "not a strict"),
        (("taken", "--role", "agent"), "There is a key 'taken' already"),
    ],
)
def test_keys_that_cannot_be(app: Flask, args: tuple[str, ...], why: str) -> None:
    run(app, "create", "taken", "--role", "agent")
    result = run(app, "create", *args)
    assert result.exit_code == 1
    assert why in result.output
