"""What operators see and do, over a real router: sessions, procedures, topics, workers, drain, tail, health."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from wampflask import WAMP, CallFailed, InvalidURI, NoSuchProcedure, Permission
from wampflask.plugin import meta as plugin
from wampflask.router import wire as w
from wampflask.router.wire import Refused, Wire, wait_until
from wampflask.tail import KEPT, check_topic
from wampflask.testing import RouterNode

PERMISSIONS = (
    Permission("meta.news.<what>", subscribe="everyone", publish="user"),
    Permission("meta.add", call="everyone"),
    Permission("meta.mine.{session}", register="everyone"),
    Permission("meta.tail.<!key>", call="admin", subscribe="admin"),
)
SECRET = "a-cookie-that-nobody-may-see"


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(PERMISSIONS, rate=1.0, burst=40.0) as running:
        yield running


def worker(node: RouterNode, name: str) -> tuple[WAMP, Flask]:
    """A worker with a procedure, an event handler and a turn."""
    wamp, app = WAMP(), Flask(name, instance_path=str(node.folder))
    app.config.update(node.config)
    wamp.permit(*PERMISSIONS)
    wamp.init_app(app)

    @wamp.register("meta.add")
    def add(one: int, two: int) -> list[Any]:
        return [name, one + two]

    @wamp.register("meta.fail")
    def fail() -> None:
        raise KeyError("a secret text")

    @wamp.subscribe("meta.turn", single=True)
    def turn(done: str) -> None:
        wamp.publish(f"meta.news.{done}", name)

    with app.app_context():
        wamp.connect()
    return wamp, app


@pytest.fixture(scope="module")
def workers(node: RouterNode) -> Iterator[list[tuple[WAMP, Flask]]]:
    started = [worker(node, name) for name in ("one", "two")]
    yield started
    for _, app in started:
        app.extensions["wamp"].stop()


@pytest.fixture
def wamp(workers: list[tuple[WAMP, Flask]]) -> Iterator[WAMP]:
    wamp, app = workers[0]
    with app.app_context():
        yield wamp


@pytest.fixture
def page(node: RouterNode) -> Iterator[Callable[..., Wire]]:
    opened: list[Wire] = []

    def join(role: str, authid: str) -> Wire:
        opened.append(node.session(role, authid))
        return opened[-1]

    yield join
    for wire in opened:
        wire.close()


def new() -> str:
    return f"visitor:{secrets.token_hex(6)}"


def test_a_session_with_all_that_it_has(wamp: WAMP, page: Callable[..., Wire]) -> None:
    began = time.time()
    visitor = page("visitor", authid := new())
    visitor.ask(w.SUBSCRIBE, "meta.news.tea")
    visitor.ask(w.REGISTER, f"meta.mine.{visitor.session}")
    found = wamp.meta.sessions(authid=authid)
    assert (len(found), found.found) == (1, 1)
    (one,) = found
    assert (one.session, one.authid, one.role) == (visitor.session, authid, "visitor")
    assert (one.address, one.transport) == ("127.0.0.1", "ws")
    assert began - 5 < one.since < time.time() + 5
    assert (one.topics, one.procedures) == (("meta.news.tea",), (f"meta.mine.{visitor.session}",))
    assert (one.topic_count, one.procedure_count, one.refused) == (1, 1, 0)
    assert wamp.meta.session(visitor.session) == one
    assert wamp.meta.session(1) is None
    backend = wamp.meta.sessions(role="backend").rows[0]
    assert (backend.address, backend.transport) == ("", "unix")
    assert found.roles["backend"] == 2
    assert found.total == sum(found.roles.values())
    assert "trusted" not in found.roles
    for observed in (wamp.meta.topics("meta.news.tea"), wamp.meta.procedures("meta.mine.")):
        assert [item.session for item in wamp.meta.sessions(observed=observed.rows[0].number)] == [visitor.session]
    assert not wamp.meta.sessions(observed=1).rows


def test_filter_sort_and_pages(wamp: WAMP, page: Callable[..., Wire]) -> None:
    mark = secrets.token_hex(4)
    ids = [page("visitor", f"visitor:{mark}{n}").session for n in range(5)]
    newest_first = [one.session for one in wamp.meta.sessions(mark)]
    assert newest_first == ids[::-1]
    assert [one.session for one in wamp.meta.sessions(mark, sort="authid")] == ids
    second = wamp.meta.sessions(mark, sort="authid", offset=2, limit=2)
    assert ([one.session for one in second], second.found) == (ids[2:4], 5)
    assert len(wamp.meta.sessions(mark, limit=None)) == 5
    assert len(wamp.meta.sessions(mark.upper())) == 5
    assert not wamp.meta.sessions(mark, role="admin").rows


def test_refused_actions_are_counted(wamp: WAMP, page: Callable[..., Wire]) -> None:
    fast = page("visitor", authid := new())
    for _ in range(60):
        fast.ask(w.CALL, "meta.nothing")
    (found,) = wamp.meta.sessions(authid=authid)
    assert found.refused >= 15
    assert wamp.meta.sessions(sort="refused").rows[0].authid == authid


def test_procedures_topics_and_locks(wamp: WAMP, page: Callable[..., Wire]) -> None:
    (add,) = wamp.meta.procedures("meta.add")
    assert (add.uri, add.match, add.invoke, len(add.callees)) == ("meta.add", "exact", "roundrobin", 2)
    assert {callee.role for callee in add.callees} == {"backend"}
    assert not wamp.meta.procedures("wampflask.").rows
    assert wamp.meta.procedures("wampflask.meta.", internal=True).found == 3
    for _ in range(3):
        page("visitor", new()).ask(w.SUBSCRIBE, "meta.news.cake")
    (cake,) = wamp.meta.topics("meta.news.cake")
    assert (cake.subscribers, cake.match) == (3, "exact")
    assert wamp.call("wamp.subscription.get", cake.number)["uri"] == "meta.news.cake"
    with wamp.lock("meta.cellar"):
        (held,) = wamp.meta.locks()
        assert (held.name, held.session) == ("meta.cellar", wamp.status.session)
    assert wamp.meta.locks() == ()


def test_nothing_of_a_clients_request_is_ever_answered(wamp: WAMP, node: RouterNode) -> None:
    """Crossbar's own answer has the cookie: that it could be seen is shown first."""
    ticket = node.tickets().mint("visitor", authid := new())
    with cookie_wire(node) as wire:
        wire.join(node.realm, ticket)
        assert SECRET in json.dumps(wamp.call("wamp.session.get", wire.session))
        wire.ask(w.SUBSCRIBE, "meta.news.tea")
        answers = [
            wamp.call(procedure, limit=limit)
            for procedure in (plugin.SESSIONS, plugin.PROCEDURES, plugin.TOPICS)
            for limit in (100, 1000)
        ]
        answers.append(wamp.call(plugin.SESSIONS, number=wire.session))
    text = json.dumps(answers)
    assert authid in text
    for hidden in (SECRET, ticket, "cookie", "user-agent", "sec-websocket", "authextra", "cbtid"):
        assert hidden not in text.lower(), hidden


class cookie_wire(Wire):  # noqa: N801 - it is used as a function
    """A page that sends a cookie with its connection, and says that a proxy passed it on."""

    def __init__(self, node: RouterNode) -> None:
        super().__init__(
            node.ws_url, origin=f"http://127.0.0.1\r\nCookie: session={SECRET}\r\nX-Forwarded-For: 203.0.113.9"
        )


def test_behind_a_front_server_the_clients_own_address_is_shown(wamp: WAMP, node: RouterNode) -> None:
    with cookie_wire(node) as wire:
        wire.join(node.realm, node.tickets().mint("visitor", authid := new()))
        assert [one.address for one in wamp.meta.sessions(authid=authid)] == ["203.0.113.9"]


@pytest.mark.parametrize("role", ["visitor", "user", "admin", "agent"])
def test_only_workers_may_ask(wamp: WAMP, page: Callable[..., Wire], role: str) -> None:
    client = page(role, f"{role}:1")
    control = wamp.meta.procedures("wampflask.worker.", internal=True).rows[0].uri
    for uri in (plugin.SESSIONS, plugin.PROCEDURES, plugin.TOPICS, control):
        with pytest.raises(Refused) as refused:
            client.call(uri)
        assert refused.value.uri == "wamp.error.not_authorized"


# -- workers


def test_workers_say_how_they_are(wamp: WAMP, workers: list[tuple[WAMP, Flask]]) -> None:
    found = wamp.meta.workers()
    assert len(found) == 2
    for one in found:
        assert (one.pid, one.answers, one.ready, one.drained) == (os.getpid(), True, True, False)
        assert one.counters["joined"] == 1
    assert wamp.status.session in [one.session for one in found]


def test_errors_are_found_by_their_id_and_say_no_more_than_where(wamp: WAMP) -> None:
    with pytest.raises(CallFailed) as failed:
        wamp.call("meta.fail")
    number = failed.value.args[0]
    (found,) = wamp.meta.errors(number)
    assert (found.id, found.kind) == (number, "builtins.KeyError")
    assert "meta.fail" in found.what
    assert "test_meta.py:" in found.place
    assert found.place.endswith("(fail)")
    assert "a secret text" not in str(wamp.meta.errors())
    assert wamp.meta.errors("nothing has this id") == ()


def test_a_drained_worker_leaves_calls_and_turns_to_others(wamp: WAMP, workers: list[tuple[WAMP, Flask]]) -> None:
    def who_answers() -> set[str]:
        return {wamp.call("meta.add", 1, 2)[0] for _ in range(8)}

    mine = next(one for one in wamp.meta.workers() if one.session == wamp.status.session)
    assert who_answers() == {"one", "two"}
    wamp.meta.drain(mine.id)
    try:
        assert wait_until(lambda: who_answers() == {"two"}, 5)
        assert wamp.status.drained
        assert wamp.status.ready, "pages are served as before"
        assert wait_until(lambda: whose_turn(wamp) == "two", 5)
        drained = next(one for one in wamp.meta.workers() if one.id == mine.id)
        assert (drained.answers, drained.drained) == (True, True)
        assert wamp.meta.health().ok
        with ThreadPoolExecutor(4) as pool:  # what had arrived before is finished, and nothing in between is lost
            wamp.meta.resume(mine.id)
            app = workers[0][1]

            def call(_: int) -> Any:
                with app.app_context():
                    return wamp.call("meta.add", 1, 2)[1]

            assert set(pool.map(call, range(50))) == {3}
    finally:
        wamp.meta.resume(mine.id)
    assert wait_until(lambda: who_answers() == {"one", "two"}, 5)
    assert not wamp.status.drained


def whose_turn(wamp: WAMP) -> str:
    sessions = [turn.callees[0].session for turn in wamp.meta.procedures("wampflask.single.", internal=True)]
    names = ["one" if session == wamp.status.session else "two" for session in sessions]
    return names[0] if names else "nobody's"


def test_a_drained_worker_that_reconnects_stays_drained(wamp: WAMP, workers: list[tuple[WAMP, Flask]]) -> None:
    other, app = workers[1]
    with app.app_context():
        session = other.status.session
    control = next(one for one in wamp.meta.workers() if one.session == session)
    wamp.meta.drain(control.id)
    try:
        wamp.disconnect(session=session)
        assert wait_until(lambda: any(one.session != session and one.drained for one in wamp.meta.workers()), 10)
        assert {wamp.call("meta.add", 1, 2)[0] for _ in range(6)} == {"one"}
    finally:
        wamp.meta.resume(control.id)
    assert wait_until(lambda: {wamp.call("meta.add", 1, 2)[0] for _ in range(6)} == {"one", "two"}, 5)


# -- tail


def answer(wamp: WAMP, uri: str) -> Any:
    return wamp.call(uri)


def test_a_topic_is_followed_until_it_is_stopped(wamp: WAMP, page: Callable[..., Wire]) -> None:
    uri = f"meta.tail.{secrets.token_hex(8)}"
    admin = page("admin", "user:1")
    tail = wamp.meta.tail("meta.news.", uri, match="prefix")
    assert wait_until(lambda: bool(wamp.meta.topics("meta.news.").rows), 5)
    admin.ask(w.SUBSCRIBE, uri)
    wamp.publish("meta.news.tea", {"left": 3}, hot=True)
    event = admin.receive(5)
    line = event[4][0]["lines"][0]
    assert (line["id"], line["topic"], line["text"]) == (1, "meta.news.tea", '{"left": 3} {"hot": true}')
    assert admin.call(uri)["lines"] == [line]
    wamp.call(uri, "stop")
    assert admin.receive(5)[4][0]["running"] is False
    assert not tail.running
    assert wait_until(lambda: not wamp.meta.procedures(uri).rows, 5)
    with pytest.raises(NoSuchProcedure):
        wamp.call(uri)


def test_a_flood_is_cut(wamp: WAMP) -> None:
    uri = f"meta.tail.{secrets.token_hex(8)}"
    tail = wamp.meta.tail("meta.news.flood", uri)
    assert wait_until(lambda: bool(wamp.meta.topics("meta.news.flood").rows), 5)
    for number in range(2000):
        wamp.publish_later("meta.news.flood", number)
    assert wait_until(lambda: answer(wamp, uri)["seen"] == 2000, 20)
    state = answer(wamp, uri)
    assert len(state["lines"]) <= KEPT
    assert state["skipped"] > 0
    assert state["seen"] - state["skipped"] >= len(state["lines"])
    tail.stop()
    assert wait_until(lambda: not wamp.meta.topics("meta.news.flood").rows, 5)


@pytest.mark.parametrize(
    ("topic", "match"),
    [
        ("wamp.session.on_join", "exact"),
        ("wampflask.live.worker_lost", "exact"),
        ("wamp.", "prefix"),
        ("w", "prefix"),
        ("wam", "prefix"),
        ("", "prefix"),
        (".session.on_join", "wildcard"),
        ("..", "wildcard"),
        ("wamp..on_join", "wildcard"),
        ("crossbar.", "prefix"),
        ("No Such", "exact"),
    ],
)
def test_what_cannot_be_followed(topic: str, match: Any) -> None:
    """Events of the router carry the headers of clients' requests, cookies among them."""
    with pytest.raises(InvalidURI):
        check_topic(topic, match)


# -- health


def test_health_is_a_real_way_through_the_router(wamp: WAMP, node: RouterNode) -> None:
    healthy = wamp.meta.health()
    assert (healthy.ok, healthy.problem) == (True, "")
    assert 0 < healthy.seconds < 5
    pids = router_processes(node)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        sick = wamp.meta.health(timeout=0.5)
        assert time.monotonic() - began < 5
        assert sick.problem == "the router has not answered within 0.5 s"
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert wait_until(lambda: wamp.meta.health().ok, 10)


def router_processes(node: RouterNode) -> list[int]:
    import psutil

    assert node.pid is not None
    return [process.pid for process in psutil.Process(node.pid).children(recursive=True)]


def test_blocks_are_listed(wamp: WAMP, node: RouterNode, page: Callable[..., Wire]) -> None:
    visitor = page("visitor", authid := new())
    wamp.block(authid=authid, until=60, reason="Too loud.")
    assert visitor.receive(5)[1:] == [{"message": "Too loud."}, "wampflask.close.blocked"]
    (block,) = wamp.meta.blocks()
    assert (block.authid, block.reason) == (authid, "Too loud.")
    with pytest.raises(Refused):  # a fresh ticket does not help
        node.session("visitor", authid)
    wamp.unblock(authid=authid)
    assert wamp.meta.blocks() == ()
    node.session("visitor", authid).close()


def test_a_roles_sessions_are_ended(wamp: WAMP, page: Callable[..., Wire]) -> None:
    agents = [page("agent", f"agent:{n}") for n in range(3)]
    user = page("user", "user:77")
    wamp.disconnect(role="agent", reason="The hub moves.")
    for one in agents:
        assert one.receive(5)[1:] == [{"message": "The hub moves."}, "wampflask.close.disconnected"]
    assert user.ask(w.CALL, "meta.add", [1, 2])[0] == w.RESULT
