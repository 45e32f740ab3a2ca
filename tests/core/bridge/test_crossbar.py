"""One signed request, posted to Crossbar.io's own HTTP bridge and to ours: both take it, and answer alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from flask import Flask

from rig.databases import of_library
from tests.core.bridge.signer import body_of, signed
from tests.core.processes.programs import Listener
from wampflask import WAMP, CallFailed, CallResult, Permission, bridge, caller
from wampflask.router.wire import EVENT
from wampflask.testing import RouterNode, free_port
from wampflask.tickets import issuer_of

PERMISSIONS = (
    Permission("shop.sold", publish="agent", subscribe="agent"),
    *(Permission(f"shop.{name}", call="agent") for name in ("add", "several", "nothing", "fail", "who", "missing")),
)


@dataclass
class Both:
    """Crossbar's bridge and ours, with one key."""

    node: RouterNode
    crossbar: str
    app: Flask
    key: str
    secret: str

    def theirs(self, verb: str, body: bytes, query: dict[str, str]) -> tuple[int, Any]:
        url = f"{self.crossbar}/{verb}?{urlencode(query)}"
        asked = Request(url, body, {"Content-Type": "application/json"}, method="POST")
        try:
            with urlopen(asked, timeout=20) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def ours(self, verb: str, body: bytes, query: dict[str, str]) -> tuple[int, Any]:
        sent = {"data": body, "query_string": query, "content_type": "application/json"}
        answer = self.app.test_client().post(f"/bridge/{verb}", **sent)
        return answer.status_code, answer.get_json()

    def ask(self, verb: str, **said: Any) -> tuple[tuple[int, Any], tuple[int, Any]]:
        """The very same request to both."""
        body = body_of(**said)
        query = signed(self.key, self.secret, body)
        return self.theirs(verb, body, query), self.ours(verb, body, query)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with RouterNode(PERMISSIONS) as node:
        wamp = WAMP()
        wamp.permit(*PERMISSIONS)
        declare(wamp)
        folder = tmp_path_factory.mktemp("bridged")
        app = Flask("bridged", instance_path=str(folder))
        app.config.update(node.config, **of_library(folder))
        wamp.init_app(app)
        bridge.init_app(app)
        with app.app_context():
            key, _, secret = issuer_of().keys.create("shell", "agent", ["shop"], roles=["agent"]).partition(".")
            crossbar = _add_crossbars_own(node, key, secret)
            wamp.connect(30)
            yield Both(node, crossbar, app, key, secret)
            app.extensions["wamp"].stop()


def declare(wamp: WAMP) -> None:
    @wamp.register("shop.add")
    def add(one: int, two: int = 0) -> int:
        return one + two

    @wamp.register("shop.several")
    def several() -> CallResult:
        return CallResult([1, 2], {"three": 3})

    @wamp.register("shop.nothing")
    def nothing() -> None:
        return None

    @wamp.register("shop.fail")
    def fail() -> None:
        raise CallFailed("shop.error.closed", "Come back at nine.", hour=9)

    @wamp.register("shop.who")
    def who() -> list[str | int | None]:
        return [caller.authid, caller.role, caller.session]


def _add_crossbars_own(node: RouterNode, key: str, secret: str) -> str:
    """Give the running node Crossbar's own publisher and caller; return their address."""
    file = node.node_folder / "config.json"
    config = json.loads(file.read_text())
    port = free_port()
    options = {"key": key, "secret": secret}
    paths: dict[str, Any] = {"/": {"type": "static", "directory": "."}}
    for kind, path in (("publisher", "publish"), ("caller", "call")):
        paths[path] = {"type": kind, "realm": node.realm, "role": "backend", "options": options}
    endpoint = {"type": "tcp", "interface": "127.0.0.1", "port": port}
    config["workers"][0]["transports"].append({"type": "web", "id": "own", "endpoint": endpoint, "paths": paths})
    file.write_text(json.dumps(config))
    node.restart()
    return f"http://127.0.0.1:{port}"


def test_a_publication_is_taken_by_both_and_heard_alike(both: Both) -> None:
    with Listener(both.node, "shop.sold") as listener:
        theirs, ours = both.ask("publish", topic="shop.sold", args=["tea"], kwargs={"left": 3})
        assert (theirs[0], ours[0]) == (200, 200), (theirs, ours)
        heard = [listener.wire.receive(10) for _ in range(2)]
    assert [list(answer) for _, answer in (theirs, ours)] == [["id"], ["id"]]
    assert [(event[0], event[4], event[5]) for event in heard] == 2 * [(EVENT, ["tea"], {"left": 3})]
    assert [event[2] for event in heard] == [theirs[1]["id"], ours[1]["id"]]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"procedure": "shop.add", "args": [1], "kwargs": {"two": 2}}, {"args": [3]}),
        ({"procedure": "shop.add", "args": [1]}, {"args": [1]}),
        ({"procedure": "shop.several", "args": None}, {"args": [1, 2], "kwargs": {"three": 3}}),
        ({"procedure": "shop.nothing"}, {"args": [None]}),
    ],
)
def test_a_call_has_the_same_answer_from_both(both: Both, said: dict[str, Any], answer: dict[str, Any]) -> None:
    assert both.ask("call", **said) == ((200, answer), (200, answer))


def test_an_error_has_the_same_body_and_a_status_of_its_own(both: Both) -> None:
    theirs, ours = both.ask("call", procedure="shop.fail")
    assert theirs[1] == ours[1] == {"error": "shop.error.closed", "args": ["Come back at nine."], "kwargs": {"hour": 9}}
    assert (theirs[0], ours[0]) == (200, 502)
    theirs, ours = both.ask("call", procedure="shop.missing")
    assert theirs[1]["error"] == ours[1]["error"] == "wamp.error.no_such_procedure"
    assert (theirs[0], ours[0]) == (200, 404)


def test_a_wrong_signature_is_refused_by_both(both: Both) -> None:
    body = body_of(topic="shop.sold")
    query = signed(both.key, "another", body)
    assert both.theirs("publish", body, query)[0] == both.ours("publish", body, query)[0] == 401


def test_a_request_sent_again_is_taken_by_crossbar_and_not_by_us(both: Both) -> None:
    body = body_of(topic="shop.sold")
    query = signed(both.key, both.secret, body)
    assert [both.theirs("publish", body, query)[0] for _ in range(2)] == [200, 200]
    assert [both.ours("publish", body, query)[0] for _ in range(2)] == [200, 409]


def test_handlers_know_the_key_that_calls_through_our_bridge(both: Both) -> None:
    theirs, ours = both.ask("call", procedure="shop.who")
    assert ours[1] == {"args": [["key:shell", "agent", None]]}
    assert theirs[1]["args"][0][1] == "backend"
