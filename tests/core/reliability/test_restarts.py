"""The router dies, again and again, under traffic: everybody is back by themselves, and nothing is left behind."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from tests.core.processes.programs import (
    HERE,
    Listener,
    Probe,
    Program,
    Remote,
    at_most,
    configuration,
    connected,
    eventually,
    get,
    gunicorn,
    make_app,
)
from tests.core.processes.relay import Relay
from wampflask import WAMP, CallOptions, NotConnected
from wampflask.router import wire
from wampflask.router.wire import WireError
from wampflask.testing import RouterNode, free_port

Env = dict[str, str]

ROUNDS = 10
WARM = 2
"""Rounds after which a process has all the threads and files it will ever need."""
BACK = 2.0
"""Seconds from the router's being ready until everybody is."""
TIMEOUT = 2.0
"""``WAMP_CALL_TIMEOUT`` and ``WAMP_PUBLISH_TIMEOUT`` of the programs here, in seconds."""
SLACK = 0.5
"""Seconds that a busy machine may add."""


class Visitors:
    """Somebody who loads a page again and again; statuses and the longest wait."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._thread = threading.Thread(target=self._visit, name="visitors")
        self._stopping = threading.Event()
        self._resting = threading.Lock()
        self.statuses: Counter[int] = Counter()
        self.longest = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _visit(self) -> None:
        while not self._stopping.wait(0.01):
            with self._resting:
                began = time.monotonic()
                status, _ = get(self._url)
                self.statuses[status] += 1
                self.longest = max(self.longest, time.monotonic() - began)

    def size_of(self, pids: list[int]) -> list[tuple[int, int]]:
        """Threads and open files of processes while nobody visits."""
        with self._resting:
            processes = [psutil.Process(pid) for pid in pids]
            return [(process.num_threads(), process.num_fds()) for process in processes]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copy(HERE / "app_small.py", tmp_path / "app_small.py")
    return tmp_path


@pytest.fixture
def limits() -> Env:
    return {
        "WAMP_CALL_TIMEOUT": str(TIMEOUT),
        "WAMP_PUBLISH_TIMEOUT": str(TIMEOUT),
        "WAMP_HANDLER_THREADS": "1",  # made at the first call, so that the number of threads is steady from then on
        "WAMP_OUTBOX_MAX": "100000",
    }


def test_ten_deaths_of_the_router_under_traffic(
    router: RouterNode, site: Path, env: Env, limits: Env, prefix: str
) -> None:
    env = {**env, **limits}
    port = free_port()
    traffic_script = Path(__file__).with_name("app_traffic.py")
    sizes: dict[int, list[tuple[int, int]]] = {}
    waits: list[float] = []
    with (
        Program(gunicorn(port, "--threads", "1"), site, env) as server,
        Remote(site, env, script=traffic_script) as traffic,
    ):
        with Probe(router) as probe:
            eventually(lambda: is_whole(probe, prefix), server.said)
        with Visitors(f"http://127.0.0.1:{port}/pid") as visitors:
            workers = server.children()
            for number in range(1, ROUNDS + 1):
                answered = traffic.ask("report")["done"]["call"]
                eventually(lambda: traffic.ask("report")["done"]["call"] > answered + 20, "calls are answered")  # noqa: B023
                router.kill9()
                router.start()
                waits.append(wait_until_whole(router, traffic, prefix))
                if number in (WARM, ROUNDS):
                    report = traffic.ask("report")
                    sizes[number] = [*visitors.size_of(workers), (report["threads"], report["files"])]
            assert server.children() == workers, "no worker was replaced"
        report = traffic.ask("report")
        assert traffic.leave() == 0
        server.end()

    assert max(waits) < at_most(BACK), f"seconds until everybody was ready: {waits}"
    # Whether a visitor's connection is open just then, and which worker has it, is chance; a leak would be one a round.
    for (threads, files), (threads_now, files_now) in zip(sorted(sizes[WARM]), sorted(sizes[ROUNDS]), strict=True):
        assert threads_now <= threads, f"(threads, files) of each process after {WARM} and {ROUNDS} rounds: {sizes}"
        assert files_now <= files + 1, f"(threads, files) of each process after {WARM} and {ROUNDS} rounds: {sizes}"
    assert report["counters"]["joined"] == ROUNDS + 1
    assert report["counters"]["lost"] == ROUNDS
    assert report["counters"].get("dropped", 0) == 0
    assert max(report["slowest"].values()) < TIMEOUT + at_most(SLACK), report["slowest"]
    assert {error.split(": ")[1] for error in report["errors"]} <= {"NotConnected", "NoSuchProcedure"}, report["errors"]
    assert set(visitors.statuses) <= {200, 500, 503, 504}, visitors.statuses
    assert visitors.statuses[200] > 100
    assert visitors.longest < TIMEOUT + at_most(SLACK), "a page waited longer than its call may"
    traffic.assert_quiet()
    server.assert_quiet("Traceback")  # of pages that were asked for while the router was away


def is_whole(probe: Probe, prefix: str) -> bool:
    """Whether every handler of the three processes is there once."""
    registered = {name: probe.callees(f"{prefix}.{name}") for name in ("pid", "slow", "fail", "echo")}
    subscribed = {name: probe.subscribers(f"{prefix}.{name}") for name in ("event", "bad")}
    assert max(registered[name] for name in ("pid", "slow", "fail")) <= 2, f"doubled: {registered}"
    assert registered["echo"] <= 1, f"doubled: {registered}"
    return registered == {"pid": 2, "slow": 2, "fail": 2, "echo": 1} and subscribed == {"event": 3, "bad": 2}


def wait_until_whole(router: RouterNode, traffic: Remote, prefix: str) -> float:
    """Seconds until every handler is registered and subscribed again, and the program says that it is ready."""
    began = time.monotonic()
    with Probe(router) as probe:
        eventually(lambda: is_whole(probe, prefix) and traffic.ask("ready"), "everybody is back", 10)
        took = time.monotonic() - began
        assert is_whole(probe, prefix)
    return took


def test_queued_messages_survive_a_restart(router: RouterNode, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    topic, count = f"{prefix}.later", 20_000
    with Relay(router.url) as relay:
        app = make_app({**configuration(router), "WAMP_URL": relay.url, "WAMP_OUTBOX_MAX": count}, tmp_path, wamp)
        with connected(app, wamp):
            with Listener(router, topic) as before:
                for number in range(count // 2):
                    wamp.publish_later(topic, number)
                arrived = [before.next()[0] for _ in range(count // 10)]
                router.kill9()
                arrived += rest_of(before)
            for number in range(count // 2, count):
                wamp.publish_later(topic, number)
            relay.flowing.clear()  # until somebody listens
            router.start()
            with Listener(router, topic) as after:
                relay.flowing.set()
                repeated = [after.next()[0]]
                while repeated[-1] != count - 1:
                    repeated.append(after.next()[0])
                assert after.all(0.2) == []
            assert arrived == list(range(len(arrived))), "in order until the router died"
            # What the router has acknowledged is the router's to deliver; everything else is sent again.
            assert repeated == list(range(acknowledged(relay), count)), "in order, and none missing, since it is back"
            eventually(lambda: wamp.status.counters["waiting_later"] == 0, lambda: f"{wamp.status.counters}", 5)
            assert wamp.status.counters.get("dropped", 0) == 0


def acknowledged(relay: Relay) -> int:
    """How many messages the router that died had acknowledged, itself or by a later one."""
    second_session = [said for said in enumerate(relay.said) if said[1][1][0] == wire.HELLO][1][0]
    before = [message for _, message in relay.said[:second_session]]
    last = max(message[1] for message in before if message[0] == wire.PUBLISHED)
    return sum(message[0] == wire.PUBLISH and message[1] <= last for message in before)


def rest_of(listener: Listener) -> list[Any]:
    """What had reached a listener when its router died."""
    values = []
    try:
        while True:
            values.append(listener.next(2)[0])
    except (OSError, WireError):
        return values


def test_what_waits_when_the_router_dies(router: RouterNode, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    app = make_app(configuration(router), tmp_path, wamp)
    gate, entered = threading.Event(), threading.Event()
    heard: list[int] = []
    failed: list[float] = []

    @wamp.register(f"{prefix}.wait")
    def wait() -> None:
        entered.set()
        gate.wait(10)

    def call() -> None:
        with app.app_context(), pytest.raises(NotConnected):
            wamp.call(f"{prefix}.wait", options=CallOptions(timeout=60))
        failed.append(time.monotonic())

    wamp.subscribe(f"{prefix}.value")(heard.append)
    with connected(app, wamp):
        lock = wamp.lock("tests.reliability")
        assert lock.acquire()
        for number in range(100):
            wamp.publish_latest(f"{prefix}.value", number)
        caller = threading.Thread(target=call)
        caller.start()
        assert entered.wait(5)
        router.kill9()
        killed = time.monotonic()
        caller.join(10)
        assert failed, "the call still waits"
        assert failed[0] - killed < at_most(1), "a pending call fails at once"
        assert not lock.held, "an outage frees a lock, and its holder can see that"
        began = time.monotonic()
        with pytest.raises(NotConnected):
            wamp.publish(f"{prefix}.value", 0)
        with pytest.raises(NotConnected):
            wamp.call(f"{prefix}.wait")
        assert time.monotonic() - began < at_most(0.5), "without a session nothing waits"
        for number in range(100, 10_100):
            wamp.publish_latest(f"{prefix}.value", number)
        gate.set()

        router.start()
        wamp.connect(timeout=at_most(BACK))
        eventually(lambda: heard and heard[-1] == 10_099, lambda: f"the last value arrived: {heard[-3:]}", 5)
        assert heard == sorted(heard)
        assert len(heard) <= 4, heard
        assert lock.acquire()
        lock.release()
