"""What handlers see and who may reach them, with real callers of every role."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, current_app

from tests.core.processes.programs import Listener, Probe, client_of, configuration, connected, eventually, make_app
from wampflask import (
    WAMP,
    AlreadyDeclared,
    CallFailed,
    InvalidPayload,
    NoSuchProcedure,
    NotAuthorized,
    PublishOptions,
    caller,
)
from wampflask.router import wire
from wampflask.router.wire import Refused
from wampflask.testing import RouterNode

Heard = list[object]


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def app(node: RouterNode, wamp: WAMP, tmp_path: Path) -> Iterator[Flask]:
    """A connected app, in its context; what a test declares is declared after connecting."""
    app = make_app(configuration(node), tmp_path, wamp)
    with connected(app, wamp):
        yield app


def is_ready(wamp: WAMP) -> None:
    eventually(lambda: wamp.status.ready, lambda: f"every declaration is confirmed: {wamp.status}", 5)


def test_what_is_declared_after_connecting_is_there_at_once(app: Flask, wamp: WAMP, prefix: str) -> None:
    heard: Heard = []
    wamp.register(f"{prefix}.double")(lambda value: value * 2)
    wamp.subscribe(f"{prefix}.event")(heard.append)
    wamp.connect()
    assert wamp.call(f"{prefix}.double", 21) == 42
    wamp.publish(f"{prefix}.event", "heard")
    eventually(lambda: heard == ["heard"], lambda: f"heard {heard}", 5)


def test_what_is_declared_while_connecting_is_declared_once(
    node: RouterNode, probe: Probe, prefix: str, tmp_path: Path
) -> None:
    wamp = WAMP()
    app = make_app(configuration(node), tmp_path, wamp)
    heard: Heard = []
    count, has_begun = 300, threading.Event()

    def declare() -> None:
        for number in range(count):
            wamp.register(f"{prefix}.p{number}")(lambda: None)
            wamp.subscribe(f"{prefix}.event")(heard.append)
            if number == count // 3:
                has_begun.set()

    declaring = threading.Thread(target=declare)
    declaring.start()
    has_begun.wait()
    with app.app_context():
        client_of(app).start()
    with connected(app, wamp):
        declaring.join()
        wamp.connect()
        assert wamp.status.pending == ()
        assert probe.callees(f"{prefix}.p0") == probe.callees(f"{prefix}.p{count - 1}") == 1
        wamp.publish(f"{prefix}.event", 1)
        eventually(lambda: len(heard) >= count, lambda: f"{len(heard)} of {count} handlers ran", 5)
        client_of(app)._pool.drain(5)
        assert len(heard) == count, "a handler was subscribed twice"


def test_the_same_procedure_twice_is_refused_with_both_places(app: Flask, wamp: WAMP, prefix: str) -> None:
    @wamp.register(f"{prefix}.same")
    def first() -> None: ...

    with pytest.raises(AlreadyDeclared, match=r"test_handlers.py:\d+ .*first.*test_handlers.py:\d+ .*second"):

        @wamp.register(f"{prefix}.same")
        def second() -> None: ...


def test_two_apps_of_one_process_live_in_their_own_realms(node: RouterNode, prefix: str, tmp_path: Path) -> None:
    shared, other = WAMP(), WAMP()
    heard: Heard = []

    def where() -> str:
        return current_app.name

    shared.register(f"{prefix}.where")(where)
    other.register(f"{prefix}.where")(where)
    shared.subscribe(f"{prefix}.event")(lambda value: heard.append((current_app.name, value)))
    other.subscribe(f"{prefix}.event")(lambda value: heard.append((current_app.name, value)))
    one = make_app(configuration(node), tmp_path / "one", shared, name="one")
    two = make_app(configuration(node, "second"), tmp_path / "two", other, name="two")
    with connected(one, shared):
        assert shared.call(f"{prefix}.where") == "one"
        with connected(two, other):
            assert other.call(f"{prefix}.where") == "two"
            other.publish(f"{prefix}.event", "in two")
        shared.publish(f"{prefix}.event", "in one")
        eventually(lambda: len(heard) == 2, lambda: f"each app heard its own event: {heard}", 5)
    assert sorted(map(str, heard)) == ["('one', 'in one')", "('two', 'in two')"]


def test_one_wamp_serves_two_apps(node: RouterNode, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    wamp.register(f"{prefix}.where")(lambda: current_app.name)
    one = make_app(configuration(node), tmp_path / "one", wamp, name="one")
    two = make_app(configuration(node, "second"), tmp_path / "two", wamp, name="two")
    with connected(one, wamp):
        with connected(two, wamp):
            assert wamp.call(f"{prefix}.where") == "two"
        assert wamp.call(f"{prefix}.where") == "one"


def test_limit_calls_counts_and_then_unsubscribes_for_good(
    app: Flask, wamp: WAMP, prefix: str, probe: Probe, node: RouterNode
) -> None:
    heard: Heard = []
    wamp.subscribe(f"{prefix}.event", limit_calls=3)(heard.append)
    wamp.connect()
    for number in range(6):
        wamp.publish_later(f"{prefix}.event", number)
    eventually(lambda: probe.subscribers(f"{prefix}.event") == 0, "unsubscribed", 5)
    first = wamp.status.session
    probe.kill(first or 0)
    eventually(lambda: wamp.status.ready and wamp.status.session != first, "ready again", 5)
    assert probe.subscribers(f"{prefix}.event") == 0
    assert sorted(map(str, heard)) == ["0", "1", "2"]


def test_patterns_tell_which_uri_was_meant(app: Flask, wamp: WAMP, prefix: str, probe: Probe) -> None:
    heard: Heard = []
    wamp.register(f"{prefix}.pre", match="prefix")(lambda: ["prefix", caller.uri])
    wamp.register(f"{prefix}.wild..end", match="wildcard")(lambda: ["wildcard", caller.uri])
    wamp.subscribe(f"{prefix}.news", match="prefix")(lambda: heard.append(("prefix", caller.uri)))
    wamp.subscribe(f"{prefix}..today", match="wildcard")(lambda: heard.append(("wildcard", caller.uri)))
    wamp.subscribe(f"{prefix}.news.today")(lambda: heard.append(("exact", caller.uri)))
    wamp.connect()
    assert probe.call(f"{prefix}.pre.a.b") == ["prefix", f"{prefix}.pre.a.b"]
    assert probe.call(f"{prefix}.wild.x.end") == ["wildcard", f"{prefix}.wild.x.end"]
    with pytest.raises(NoSuchProcedure):
        wamp.call(f"{prefix}.wild.x.other")
    wamp.publish(f"{prefix}.news.today")
    wamp.publish(f"{prefix}.other.today")
    wamp.publish(f"{prefix}.news_and_more")
    wamp.publish(f"{prefix}.none")
    expected = {
        ("exact", f"{prefix}.news.today"),
        ("prefix", f"{prefix}.news.today"),
        ("wildcard", f"{prefix}.news.today"),
        ("wildcard", f"{prefix}.other.today"),
        ("prefix", f"{prefix}.news_and_more"),
    }
    eventually(lambda: len(heard) >= len(expected), lambda: f"heard {heard}", 5)
    assert set(map(str, heard)) == set(map(str, expected))
    assert len(heard) == len(expected)


@pytest.mark.parametrize("role", ["visitor", "user", "admin"])
def test_a_handler_knows_its_caller(role: str, app: Flask, wamp: WAMP, prefix: str, node: RouterNode) -> None:
    told: Heard = []
    wamp.register(f"people.{prefix}.call")(lambda: [caller.authid, caller.role, caller.session, caller.uri])
    wamp.subscribe(f"people.{prefix}.event")(lambda: told.append([caller.authid, caller.role, caller.session]))
    wamp.connect()
    with node.session(role, f"{role}:17") as person:
        answer = person.call(f"people.{prefix}.call")
        assert answer == [f"{role}:17", role, person.session, f"people.{prefix}.call"]
        person.ask(wire.PUBLISH, f"people.{prefix}.event", options={"acknowledge": True})
        eventually(lambda: told == [[f"{role}:17", role, person.session]], lambda: f"told {told}", 5)


def test_the_caller_of_a_worker_is_a_backend(app: Flask, wamp: WAMP, prefix: str) -> None:
    wamp.register(f"{prefix}.who")(lambda: [caller.authid, caller.role])
    wamp.connect()
    assert wamp.call(f"{prefix}.who") == ["backend", "backend"]
    with pytest.raises(RuntimeError, match="only there inside a handler"):
        _ = caller.role


def test_an_event_for_an_empty_audience_reaches_nobody(app: Flask, wamp: WAMP, prefix: str, node: RouterNode) -> None:
    with Listener(node, f"{prefix}.event") as listener:
        wamp.publish(f"{prefix}.event", 1, options=PublishOptions(eligible_authid=[]))
        wamp.publish(f"{prefix}.event", 2, options=PublishOptions(eligible_authid=["backend"]))
        assert listener.next() == [2]


REFUSALS = [
    ({"login_required": True}, {"visitor": False, "user": True, "admin": True}),
    ({"roles": ("admin",)}, {"visitor": False, "user": False, "admin": True}),
    ({"roles": ("visitor", "admin"), "login_required": True}, {"visitor": False, "user": False, "admin": True}),
]


@pytest.mark.parametrize(("rule", "allowed"), REFUSALS, ids=["login", "roles", "both"])
def test_a_handler_refuses_roles_it_is_not_for(
    rule: dict[str, object], allowed: dict[str, bool], app: Flask, wamp: WAMP, prefix: str, node: RouterNode
) -> None:
    entered: Heard = []
    wamp.register(f"people.{prefix}.call", **rule)(lambda: entered.append(caller.role))  # type: ignore[arg-type]
    wamp.connect()
    for role, may in allowed.items():
        with node.session(role, f"{role}:1") as person:
            if may:
                assert person.call(f"people.{prefix}.call") is None
            else:
                with pytest.raises(Refused) as refused:
                    person.call(f"people.{prefix}.call")
                assert refused.value.uri == "wamp.error.not_authorized"
    assert entered == [role for role, may in allowed.items() if may]


def test_errors_arrive_as_what_they_are(app: Flask, wamp: WAMP, prefix: str) -> None:
    def closed() -> None:
        raise CallFailed("polls.error.closed", "Question 3 is closed.", question=3)

    def forbidden() -> None:
        raise NotAuthorized("not yours")

    wamp.register(f"{prefix}.closed")(closed)
    wamp.register(f"{prefix}.forbidden")(forbidden)
    wamp.register(f"{prefix}.set")(lambda: {1, 2})
    wamp.register(f"{prefix}.one")(lambda value: value)
    wamp.connect()
    with pytest.raises(CallFailed) as failed:
        wamp.call(f"{prefix}.closed")
    assert (failed.value.uri, failed.value.args) == ("polls.error.closed", ("Question 3 is closed.",))
    assert failed.value.kwargs == {"question": 3}
    with pytest.raises(NotAuthorized, match="not yours"):
        wamp.call(f"{prefix}.forbidden")
    with pytest.raises(CallFailed, match=r"wampflask.error.internal: [0-9a-f]{8}$"):
        wamp.call(f"{prefix}.set")
    with pytest.raises(CallFailed, match=r"wamp.error.invalid_argument: .*too many"):
        wamp.call(f"{prefix}.one", 1, 2)
    with pytest.raises(NoSuchProcedure, match=f"{prefix}.nobody"):
        wamp.call(f"{prefix}.nobody")
    with pytest.raises(InvalidPayload, match=r"args\[0\]\['when'\]"):
        wamp.call(f"{prefix}.one", {"when": object()})


@pytest.mark.parametrize(("address", "fits", "beyond"), [("url", 900_000, 2_000_000), ("ws_url", 60_000, 70_000)])
def test_a_message_the_router_would_not_take_is_refused_before_it_leaves(
    address: str, fits: int, beyond: int, node: RouterNode, prefix: str, tmp_path: Path
) -> None:
    wamp = WAMP()
    heard: Heard = []
    app = make_app({**configuration(node), "WAMP_URL": getattr(node, address)}, tmp_path, wamp)
    wamp.subscribe(f"{prefix}.event")(lambda text: heard.append(len(text)))
    wamp.register(f"{prefix}.long")(lambda: "x" * beyond)
    with connected(app, wamp):
        session = wamp.status.session
        with pytest.raises(InvalidPayload):
            wamp.publish(f"{prefix}.event", "x" * beyond)
        with pytest.raises(InvalidPayload):
            wamp.call(f"{prefix}.long")
        for send in (wamp.publish_latest, wamp.publish_later):
            with pytest.raises(InvalidPayload, match=f"{prefix}.event has"):
                send(f"{prefix}.event", "x" * beyond)
        wamp.publish_later(f"{prefix}.event", "y" * fits)
        eventually(lambda: heard == [fits], lambda: f"the next message arrives: {heard}", 5)
        assert wamp.status.session == session, "the connection was not lost for it"
