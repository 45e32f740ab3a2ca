"""Progressive calls and their cancelling, through a real router."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.core.processes.programs import client_of, configuration, connected, eventually, make_app, raw_call
from wampflask import WAMP, CallFailed, CallOptions, Cancelled, WampTimeout, progress
from wampflask.router import wire
from wampflask.router.wire import Refused
from wampflask.testing import RouterNode


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def app(node: RouterNode, wamp: WAMP, tmp_path: Path) -> Iterator[Flask]:
    app = make_app(configuration(node), tmp_path, wamp)
    with connected(app, wamp):
        yield app


class Endless:
    """A handler that works until nobody wants its result."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.stopped = threading.Event()

    def __call__(self) -> None:
        self.started.set()
        try:
            while True:
                progress()
                time.sleep(0.01)
        except Cancelled:
            self.stopped.set()
            raise


def test_progress_reaches_the_caller_in_order_and_in_its_thread(app: Flask, wamp: WAMP, prefix: str) -> None:
    @wamp.register(f"{prefix}.count")
    def count(to: int) -> str:
        for number in range(to):
            progress(number / to, f"step {number}")
        return "done"

    wamp.connect()
    heard: list[tuple[object, ...]] = []

    def note(*values: object) -> None:
        heard.append((threading.current_thread(), *values))

    assert wamp.call(f"{prefix}.count", 300, options=CallOptions(on_progress=note)) == "done"
    assert heard == [(threading.current_thread(), number / 300, f"step {number}") for number in range(300)]
    assert wamp.call(f"{prefix}.count", 3) == "done"  # a caller who wants none gets none


def test_the_time_is_counted_from_the_last_progress(app: Flask, wamp: WAMP, prefix: str) -> None:
    endless = Endless()

    @wamp.register(f"{prefix}.slow")
    def slow() -> str:
        for _ in range(8):
            time.sleep(0.25)
            progress("still here")
        return "done"

    wamp.register(f"{prefix}.endless")(endless)
    wamp.connect()
    patient = CallOptions(timeout=1.5, on_progress=lambda _: None)
    assert wamp.call(f"{prefix}.slow", options=patient) == "done"  # after two seconds
    with pytest.raises(WampTimeout, match=r"endless had not answered"):
        wamp.call(f"{prefix}.endless", options=CallOptions(timeout=0.5, on_progress=print))
    assert endless.stopped.wait(10)


def test_what_on_progress_raises_cancels_the_call(app: Flask, wamp: WAMP, prefix: str) -> None:
    endless = Endless()

    @wamp.register(f"{prefix}.work")
    def work() -> None:
        progress(1)
        endless()

    wamp.connect()

    def stop(_: object) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        wamp.call(f"{prefix}.work", options=CallOptions(on_progress=stop))
    assert endless.stopped.wait(10)
    with pytest.raises(KeyError):  # the session lives
        wamp.call(f"{prefix}.work", options=CallOptions(on_progress=stop))


def test_progress_that_the_router_would_not_take_is_the_handlers_error(app: Flask, wamp: WAMP, prefix: str) -> None:
    @wamp.register(f"{prefix}.large")
    def large() -> None:
        progress("x" * 2_000_000)

    @wamp.register(f"{prefix}.no_json")
    def no_json() -> None:
        progress({1, 2})

    wamp.connect()
    for name in ("large", "no_json"):
        with pytest.raises(CallFailed, match=r"wampflask.error.internal"):
            wamp.call(f"{prefix}.{name}", options=CallOptions(on_progress=print))


def test_a_page_has_progress_and_cancels(app: Flask, wamp: WAMP, prefix: str, node: RouterNode) -> None:
    endless = Endless()

    @wamp.register(f"{prefix}.work")
    def work() -> None:
        progress(0.5, "half")
        endless()

    wamp.connect()
    with node.backend() as page:
        request = next(page.requests)
        page.send([wire.CALL, request, {"receive_progress": True}, f"{prefix}.work"])
        assert page.receive() == [wire.RESULT, request, {"progress": True}, [0.5, "half"]]
        page.send([49, request, {"mode": "kill"}])
        answer = page.receive()
        assert answer[:3] == [wire.ERROR, wire.CALL, request]
        assert answer[4] == "wamp.error.canceled"
    assert endless.stopped.wait(10)


def test_a_handler_learns_that_its_caller_is_gone(app: Flask, wamp: WAMP, prefix: str, node: RouterNode) -> None:
    endless = Endless()
    wamp.register(f"{prefix}.work")(endless)
    wamp.connect()
    page = node.backend()
    raw_call(page, f"{prefix}.work")
    assert endless.started.wait(10)
    page.close()
    assert endless.stopped.wait(10)


def test_a_cancelled_call_that_still_waits_for_a_thread_is_not_begun(
    node: RouterNode, wamp: WAMP, prefix: str, tmp_path: Path
) -> None:
    app = make_app({**configuration(node), "WAMP_HANDLER_THREADS": 1}, tmp_path, wamp)
    go, begun = threading.Event(), []
    wamp.register(f"{prefix}.busy")(lambda: go.wait(20))
    wamp.register(f"{prefix}.work")(lambda: begun.append(1))
    with connected(app, wamp), node.backend() as page:
        raw_call(page, f"{prefix}.busy")
        eventually(lambda: client_of(app).status.counters["running_handlers"] == 1, "the thread is busy")
        request = raw_call(page, f"{prefix}.work")
        page.send([49, request, {"mode": "kill"}])
        assert page.receive()[:3] == [wire.ERROR, wire.CALL, request]
        go.set()
        page.receive()
        with pytest.raises(Refused):
            page.call(f"{prefix}.nobody")
    assert not begun


def test_a_lost_session_cancels_what_runs_for_it(app: Flask, wamp: WAMP, prefix: str, node: RouterNode) -> None:
    endless = Endless()
    wamp.register(f"{prefix}.work")(endless)
    wamp.connect()
    with node.backend() as page:
        raw_call(page, f"{prefix}.work")
        assert endless.started.wait(10)
        client = client_of(app)
        page.send([wire.CALL, next(page.requests), {}, "wamp.session.kill", [client.link.session_id]])
        assert endless.stopped.wait(10)


def test_a_handler_that_finishes_a_cancelled_call_disturbs_nothing(
    app: Flask, wamp: WAMP, prefix: str, node: RouterNode, caplog: pytest.LogCaptureFixture
) -> None:
    begun, go = threading.Event(), threading.Event()

    @wamp.register(f"{prefix}.work")
    def work() -> str:
        begun.set()
        go.wait(20)
        return "too late"

    wamp.register(f"{prefix}.other")(lambda: "fine")
    wamp.connect()
    with node.backend() as page:
        request = raw_call(page, f"{prefix}.work")
        assert begun.wait(10)
        page.send([49, request, {"mode": "kill"}])
        assert page.receive()[:3] == [wire.ERROR, wire.CALL, request]
        go.set()
        eventually(lambda: not client_of(app).status.counters["running_handlers"], "the handler has ended")
        assert page.call(f"{prefix}.other") == "fine"
    assert "AlreadyCalledError" not in caplog.text


def test_options_are_checked() -> None:
    with pytest.raises(TypeError, match="use a function"):
        CallOptions(on_progress=3)  # type: ignore[arg-type]


def test_outside_of_handlers_it_does_nothing() -> None:
    progress(0.5, "half")
