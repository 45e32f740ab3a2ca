"""The realm in memory, and with it the dispatch of handlers, the decorators and their refusals."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, current_app

from wampflask import (
    WAMP,
    AlreadyDeclared,
    Caller,
    CallFailed,
    CallOptions,
    ConfigError,
    InvalidPayload,
    InvalidURI,
    LockTaken,
    NoSuchProcedure,
    NotAuthorized,
    NotConnected,
    State,
    Status,
    caller,
    progress,
)
from wampflask.status import COUNTERS
from wampflask.testing import Event, MemoryRealm, in_memory


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def realm(wamp: WAMP, tmp_path: Path) -> Iterator[MemoryRealm]:
    app = Flask("unit", instance_path=str(tmp_path))
    wamp.init_app(app)
    with in_memory(app) as realm, app.app_context():
        yield realm


def test_a_view_publishes_and_a_test_sees_it(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.publish("demo.a", 1, x=2)
    wamp.publish_later("demo.b")
    wamp.publish_latest("demo.c", [3])
    assert realm.published == [Event("demo.a", [1], {"x": 2}), Event("demo.b"), Event("demo.c", [[3]])]


def test_a_handler_runs_in_an_app_context_and_knows_its_caller(wamp: WAMP, realm: MemoryRealm) -> None:
    @wamp.register("demo.who")
    def who() -> list[Any]:
        return [current_app.name, caller.authid, caller.role, caller.uri]

    assert realm.invoke("demo.who") == ["unit", "visitor:test", "visitor", "demo.who"]
    assert wamp.call("demo.who") == ["unit", "backend", "backend", "demo.who"]
    with pytest.raises(RuntimeError, match="only there inside a handler"):
        _ = caller.authid


def test_events_reach_exact_prefix_and_wildcard_handlers(wamp: WAMP, realm: MemoryRealm) -> None:
    heard: list[str] = []
    wamp.subscribe("demo.x.a")(lambda: heard.append(f"exact {caller.uri}"))
    wamp.subscribe("demo.", match="prefix")(lambda: heard.append(f"prefix {caller.uri}"))
    wamp.subscribe("demo..a", match="wildcard")(lambda: heard.append(f"wildcard {caller.uri}"))
    wamp.publish("demo.x.a")
    wamp.publish("demo.x.b")
    assert heard == ["exact demo.x.a", "prefix demo.x.a", "wildcard demo.x.a", "prefix demo.x.b"]


def test_a_handlers_own_error_keeps_its_uri(wamp: WAMP, realm: MemoryRealm) -> None:
    @wamp.register("demo.closed")
    def closed() -> None:
        raise CallFailed("polls.error.closed", "Question 3 is closed.", question=3)

    with pytest.raises(CallFailed) as failed:
        realm.invoke("demo.closed")
    assert (failed.value.uri, failed.value.args, failed.value.kwargs) == (
        "polls.error.closed",
        ("Question 3 is closed.",),
        {"question": 3},
    )


@pytest.mark.parametrize("result", [{1, 2}, object()])
def test_a_result_that_is_no_json_is_the_handlers_mistake(wamp: WAMP, realm: MemoryRealm, result: Any) -> None:
    wamp.register("demo.odd")(lambda: result)
    with pytest.raises(CallFailed) as failed:
        realm.invoke("demo.odd")
    assert failed.value.uri == "wampflask.error.internal"


def test_an_unknown_error_is_logged_with_the_id_that_the_caller_gets(
    wamp: WAMP, realm: MemoryRealm, caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.register("demo.broken")
    def broken() -> None:
        raise ValueError("/etc/secret")

    with caplog.at_level(logging.ERROR), pytest.raises(CallFailed) as failed:
        realm.invoke("demo.broken")
    (number,) = failed.value.args
    assert failed.value.uri == "wampflask.error.internal"
    assert "/etc/secret" not in str(failed.value)
    (record,) = caplog.records
    assert number in record.getMessage()
    assert "ValueError: /etc/secret" in caplog.text


def test_wrong_arguments_are_the_callers_mistake_and_leave_the_log_quiet(
    wamp: WAMP, realm: MemoryRealm, caplog: pytest.LogCaptureFixture
) -> None:
    wamp.register("demo.one")(lambda number: number)
    with pytest.raises(CallFailed) as failed:
        realm.invoke("demo.one", 1, 2)
    assert failed.value.uri == "wamp.error.invalid_argument"
    assert caplog.records == []


@pytest.mark.parametrize("value", [b"raw", float("nan"), 2**60])
def test_what_untrusted_clients_send_is_held_to_json_too(wamp: WAMP, realm: MemoryRealm, value: Any) -> None:
    ran: list[Any] = []
    wamp.register("demo.take")(ran.append)
    with pytest.raises(InvalidPayload, match=r"args\[0\]"):
        realm.invoke("demo.take", value)
    assert ran == []


@pytest.mark.parametrize(("role", "allowed"), [("visitor", False), ("user", True), ("admin", True), (None, False)])
def test_login_required(wamp: WAMP, realm: MemoryRealm, role: str | None, allowed: bool) -> None:
    wamp.register("demo.private", login_required=True)(lambda: "yes")
    who = Caller(2, "user:1", role, "demo.private")
    if allowed:
        assert realm.invoke("demo.private", caller=who) == "yes"
    else:
        with pytest.raises(NotAuthorized, match="logged in"):
            realm.invoke("demo.private", caller=who)


def test_roles(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.register("demo.admins", roles=("admin",))(lambda: "yes")
    assert realm.invoke("demo.admins", caller=Caller(2, "user:1", "admin")) == "yes"
    with pytest.raises(NotAuthorized, match="admin"):
        realm.invoke("demo.admins", caller=Caller(2, "user:2", "user"))


def test_the_same_procedure_twice_is_refused_with_both_places(wamp: WAMP) -> None:
    wamp.register("demo.twice")(test_roles)
    with pytest.raises(AlreadyDeclared) as refused:
        wamp.register("demo.twice")(test_login_required)
    for name in ("test_roles", "test_login_required"):
        assert f"({name})" in str(refused.value)
    assert str(refused.value).count("test_memory.py:") == 2


def test_wrong_declarations_are_refused(wamp: WAMP) -> None:
    with pytest.raises(InvalidURI):
        wamp.register("Demo.Upper")
    with pytest.raises(InvalidURI, match="reserved"):
        wamp.register("wamp.session.count")
    with pytest.raises(ConfigError, match="invoke"):
        wamp.register("demo.a", invoke="all")  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(ConfigError, match="limit_calls"):
        wamp.subscribe("demo.a", limit_calls=0)


class AsyncCallable:
    async def __call__(self) -> None: ...


async def coroutine() -> None: ...


async def stream() -> AsyncIterator[int]:
    yield 1


def generator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("handler", [coroutine, stream, generator, partial(coroutine), AsyncCallable()])
def test_handlers_that_calling_does_not_run_are_refused(wamp: WAMP, handler: Any) -> None:
    for decorate in (wamp.register("demo.a"), wamp.subscribe("demo.a")):
        with pytest.raises(ConfigError, match="write a plain def"):
            decorate(handler)
    wamp.register("demo.a")(lambda: None)


@pytest.mark.parametrize("roles", [("amdin",), ("user", "Admin"), "amdin", [""]])
def test_roles_that_do_not_exist_are_refused(wamp: WAMP, roles: Any) -> None:
    with pytest.raises(ConfigError, match="role"):
        wamp.register("demo.a", roles=roles)


def test_a_procedure_for_workers_alone(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.register("demo.inside", roles=("backend",))(lambda: "yes")
    assert wamp.call("demo.inside") == "yes"
    with pytest.raises(NotAuthorized):
        realm.invoke("demo.inside")


def test_every_counter_is_there_from_the_start(wamp: WAMP, realm: MemoryRealm) -> None:
    assert set(wamp.status.counters) == set(Status(State.IDLE, 0).counters) == set(COUNTERS)
    assert wamp.status.counters["lost"] == 0


def test_the_outside_answers_calls(wamp: WAMP, realm: MemoryRealm) -> None:
    realm.answer("agent.configure", lambda config: {"accepted": config["frequency"] > 0})
    assert wamp.call("agent.configure", {"frequency": 1}) == {"accepted": True}
    with pytest.raises(NoSuchProcedure):
        wamp.call("agent.other")


def test_payloads_are_refused_before_anything_is_sent(wamp: WAMP, realm: MemoryRealm) -> None:
    for send in (wamp.publish, wamp.publish_later, wamp.publish_latest, wamp.call):
        with pytest.raises(InvalidPayload, match=r"args\[0\]"):
            send("demo.a", {1, 2})
    assert realm.published == []


def test_what_is_too_large_is_refused_when_it_is_queued(wamp: WAMP, realm: MemoryRealm) -> None:
    for send in (wamp.publish_later, wamp.publish_latest):
        with pytest.raises(InvalidPayload, match=r"demo\.a has 30000\d\d bytes"):
            send("demo.a", "x" * 3_000_000)
    assert realm.published == []


def test_while_away_the_blocking_verbs_say_so(wamp: WAMP, realm: MemoryRealm) -> None:
    realm.disconnect()
    for send in (wamp.publish, wamp.call):
        with pytest.raises(NotConnected):
            send("demo.a")
    wamp.publish_later("demo.a")
    assert not wamp.status.ready


def test_a_lock_is_held_by_one(wamp: WAMP, realm: MemoryRealm) -> None:
    with wamp.lock("cron") as first:
        assert first.held
        with pytest.raises(LockTaken, match="cron"), wamp.lock("cron"):
            pass
        again = wamp.lock("cron")
    assert again.acquire()


def test_revoking_writes_the_file_and_ends_sessions(wamp: WAMP, realm: MemoryRealm) -> None:
    wamp.revoke("user:7")
    assert realm.revoked == ["user:7"]
    assert "user:7" in (Path(current_app.instance_path) / "revoked").read_text()


def test_progress_reaches_who_calls(wamp: WAMP, realm: MemoryRealm) -> None:
    @wamp.register("demo.count")
    def count(to: int) -> str:
        for number in range(to):
            progress(number, f"step {number}")
        return "done"

    heard: list[tuple[Any, ...]] = []
    realm.answer("page.count", count)
    for procedure in ("demo.count", "page.count"):
        assert wamp.call(procedure, 2, options=CallOptions(on_progress=lambda *values: heard.append(values))) == "done"
    assert heard == 2 * [(0, "step 0"), (1, "step 1")]
    assert wamp.call("demo.count", 2) == "done"
