"""The queues and their bounds, with a real router: nothing lost within them, a clear error at them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.core.processes.programs import (
    Listener,
    Probe,
    at_most,
    client_of,
    configuration,
    connected,
    eventually,
    make_app,
    raw_call,
)
from tests.core.processes.relay import Relay
from wampflask import WAMP, CallFailed, QueueFull, WampError, signals
from wampflask.router import wire
from wampflask.testing import RouterNode

INTERVAL = 0.1
"""``WAMP_LATEST_INTERVAL``'s default, in seconds."""


def test_ten_thousand_updates_in_a_second_are_eleven_events(node: RouterNode, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    topic, count = f"{prefix}.value", 10_000
    with connected(make_app(configuration(node), tmp_path, wamp), wamp), Listener(node, topic) as heard:
        for repeat in range(2):
            began = time.monotonic()
            for number in range(count):
                wamp.publish_latest(topic, number)
                if number % 50 == 0:  # evenly over a second, less what the last updates take
                    time.sleep(max(0.0, began + 0.98 * number / count - time.monotonic()))
            took = time.monotonic() - began
            values = [value for [value] in heard.all(3 * INTERVAL)]
            most = int(took / INTERVAL) + 2  # 11 for less than a second; a busy machine may need a little longer
            assert took < at_most(1.5), f"too slow to tell: the updates of round {repeat} took {took:.2f} s"
            assert len(values) <= most, f"{len(values)} events in {took:.2f} s: {values}"
            assert values == sorted(values)
            assert values[-1] == count - 1, "the last value always arrives"


def test_each_topic_has_its_own_last_value(node: RouterNode, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    topics = [f"{prefix}.value.n{number}" for number in range(200)]
    with connected(make_app(configuration(node), tmp_path, wamp), wamp), node.backend() as session:
        session.ask(wire.SUBSCRIBE, f"{prefix}.value", options={"match": "prefix"})
        for value in range(20):
            for topic in topics:
                wamp.publish_latest(topic, value)
        last: dict[str, int] = {}
        expected = dict.fromkeys(topics, 19)
        with contextlib.suppress(TimeoutError):
            while last != expected:
                event = session.receive(at_most(5))
                last[event[3]["topic"]] = event[4][0]
        assert last == expected


# -- bounds


def test_calls_in_flight_are_bounded(node: RouterNode, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    app = make_app({**configuration(node), "WAMP_IN_FLIGHT_MAX": 2}, tmp_path, wamp)
    gate, entered = threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        entered.release()
        gate.wait(10)

    def call() -> None:
        with app.app_context():
            wamp.call(f"{prefix}.wait")

    wamp.register(f"{prefix}.wait")(wait)
    with connected(app, wamp):
        callers = [threading.Thread(target=call) for _ in range(2)]
        for caller in callers:
            caller.start()
            assert entered.acquire(timeout=5)
        began = time.monotonic()
        with pytest.raises(QueueFull, match="WAMP_IN_FLIGHT_MAX"):
            wamp.publish(f"{prefix}.event")
        assert time.monotonic() - began < at_most(0.5)
        gate.set()
        for caller in callers:
            caller.join()
        wamp.publish(f"{prefix}.event")


@pytest.fixture
def narrow(node: RouterNode, prefix: str, tmp_path: Path) -> Iterator[tuple[Flask, WAMP, threading.Event]]:
    """An app with one handler thread and room for one more, its only thread held until the event is set."""
    wamp = WAMP()
    app = make_app(
        {**configuration(node), "WAMP_HANDLER_THREADS": 1, "WAMP_HANDLER_QUEUE": 1, "WAMP_STOP_TIMEOUT": 0.1},
        tmp_path,
        wamp,
    )
    gate = threading.Event()
    wamp.register(f"{prefix}.wait")(lambda: gate.wait(10))
    wamp.subscribe(f"{prefix}.event")(lambda number: wamp.publish_later(f"{prefix}.heard", number))
    with connected(app, wamp):
        yield app, wamp, gate
        gate.set()


def test_a_full_handler_pool_answers_busy_at_once(
    narrow: tuple[Flask, WAMP, threading.Event], node: RouterNode, prefix: str
) -> None:
    _, wamp, gate = narrow
    with node.backend() as session:
        first, second = [raw_call(session, f"{prefix}.wait") for _ in range(2)]
        eventually(lambda: wamp.status.counters["waiting_handlers"] == 1, lambda: f"{wamp.status.counters}", 5)
        began = time.monotonic()
        third = raw_call(session, f"{prefix}.wait")
        answer = session.receive()
        assert time.monotonic() - began < at_most(0.5)
        assert answer[:3] == [wire.ERROR, wire.CALL, third]
        assert answer[4] == "wampflask.error.busy"
        with pytest.raises(QueueFull, match="WAMP_HANDLER_THREADS"):
            wamp.call(f"{prefix}.wait")
        gate.set()
        assert [session.receive()[:2] for _ in range(2)] == [[wire.RESULT, first], [wire.RESULT, second]]


def test_events_beyond_the_handler_queue_are_dropped_counted_and_told(
    narrow: tuple[Flask, WAMP, threading.Event], prefix: str, probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    app, wamp, gate = narrow
    told: list[dict[str, Any]] = []

    def tell(sender: Flask, **details: Any) -> None:
        told.append(details)

    with signals.dropped.connected_to(tell, app):
        raw_call(probe.wire, f"{prefix}.wait")
        eventually(lambda: wamp.status.counters["running_handlers"] == 1, lambda: f"{wamp.status.counters}", 5)
        for number in range(10):
            wamp.publish(f"{prefix}.event", number)
        eventually(lambda: wamp.status.counters["dropped"] == 9, lambda: f"{wamp.status.counters}", 5)
        eventually(lambda: sum(item["count"] for item in told) == 9, lambda: f"the signal told {told}", 5)
    assert {item["uri"] for item in told} == {f"{prefix}.event"}
    assert "WAMP_HANDLER_QUEUE" in told[0]["reason"]
    assert "Dropped" in caplog.text
    gate.set()


def test_an_outbox_that_overflows_while_away_drops_the_oldest(node: RouterNode, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    relay = Relay(node.url)
    keys = {**configuration(node), "WAMP_URL": relay.url, "WAMP_OUTBOX_MAX": 100}
    app = make_app(keys, tmp_path, wamp)
    told: list[dict[str, Any]] = []

    def tell(sender: Flask, **details: Any) -> None:
        told.append(details)

    with Listener(node, f"{prefix}.event") as heard, app.app_context(), signals.dropped.connected_to(tell, app):
        for number in range(250):
            wamp.publish_later(f"{prefix}.event", number)
        for number in range(50):
            wamp.publish_latest(f"{prefix}.event", f"latest {number}")
        eventually(lambda: sum(item["count"] for item in told) == 150, lambda: f"the signal told {told}", 5)
        assert told[0]["reason"] == "outbox full while the router is away"
        assert wamp.status.counters["dropped"] == 150
        assert wamp.status.counters["waiting_later"] == 100
        with relay, connected(app, wamp):
            values = [value for [value] in heard.all(1)]
            assert sorted(values, key=str) == sorted([*range(150, 250), "latest 49"], key=str)
            assert [value for value in values if isinstance(value, int)] == list(range(150, 250)), "in order"
            eventually(lambda: wamp.status.counters["waiting_later"] == 0, lambda: f"{wamp.status.counters}", 5)


def test_a_router_that_hangs_costs_no_message_and_no_endless_wait(
    node: RouterNode, prefix: str, tmp_path: Path
) -> None:
    wamp = WAMP()
    with Relay(node.url) as relay, Listener(node, f"{prefix}.event") as heard:
        keys = {**configuration(node), "WAMP_URL": relay.url, "WAMP_OUTBOX_MAX": 500, "WAMP_PUBLISH_TIMEOUT": 0.3}
        app = make_app(keys, tmp_path, wamp)
        with connected(app, wamp):
            relay.flowing.clear()
            queued, longest, refused = 0, 0.0, 0
            while refused < 3:
                began = time.monotonic()
                try:
                    wamp.publish_later(f"{prefix}.event", queued)
                    queued += 1
                except QueueFull:
                    refused += 1
                longest = max(longest, time.monotonic() - began)
            assert longest < at_most(1), "putting waits no longer than WAMP_PUBLISH_TIMEOUT"
            assert queued <= 500 + 4 * 250 + 250, "what is kept, and what is on its way, are bounded"
            with pytest.raises(WampError):
                wamp.publish(f"{prefix}.other")
            relay.flowing.set()
            values = [value for [value] in heard.all(1)]
            assert values == list(range(queued))
            assert client_of(app).counters["dropped"] == 0


@pytest.mark.parametrize(("threads", "callers"), [(1, 1), (8, 8), (2, 40)])
def test_handlers_that_call_procedures_of_their_own_process_are_answered(
    threads: int, callers: int, node: RouterNode, prefix: str, tmp_path: Path
) -> None:
    wamp = WAMP()
    app = make_app({**configuration(node), "WAMP_HANDLER_THREADS": threads}, tmp_path, wamp)
    wamp.register(f"{prefix}.outer")(lambda number: wamp.call(f"{prefix}.inner", number))
    wamp.register(f"{prefix}.inner")(lambda number: number + 1)
    answers: list[int] = []

    def call(number: int) -> None:
        with app.app_context():
            answers.append(wamp.call(f"{prefix}.outer", number))

    with connected(app, wamp):
        threads_ = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
        for thread in threads_:
            thread.start()
        for thread in threads_:
            thread.join()
    assert sorted(answers) == list(range(1, callers + 1))


def test_a_handler_that_calls_itself_without_end_is_told_of_the_pool(
    node: RouterNode, prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wamp = WAMP()
    app = make_app({**configuration(node), "WAMP_HANDLER_THREADS": 2}, tmp_path, wamp)
    wamp.register(f"{prefix}.again")(lambda: wamp.call(f"{prefix}.again"))
    with connected(app, wamp):
        began = time.monotonic()
        with pytest.raises(CallFailed, match="internal"):
            wamp.call(f"{prefix}.again")
        assert time.monotonic() - began < at_most(5), "long before WAMP_CALL_TIMEOUT"
    assert "raise WAMP_HANDLER_THREADS" in caplog.text
