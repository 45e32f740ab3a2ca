"""The two queues, with a clock and a link under the test's hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wampflask import NotAuthorized, NotConnected, PublishOptions, QueueFull
from wampflask.outbox import BATCH, WINDOW, LatestBox, Outbox
from wampflask.publication import Publication


class FakeLink:
    """Records what is sent; acknowledgements come when the test says."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[Any]]] = []
        self.waiting: list[Deferred[Any]] = []

    def publish_within(self, timeout: float, publication: Publication) -> Deferred[Any]:
        self.sent.append((publication.topic, publication.args))
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def publish_unacknowledged(self, publication: Publication) -> None:
        self.sent.append((publication.topic, publication.args))

    def acknowledge(self) -> None:
        self.waiting.pop(0).callback(None)

    def fail(self, error: Exception) -> None:
        self.waiting.pop(0).errback(error)


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.link = FakeLink()
        self.counters: Counter[str] = Counter()
        self.dropped: list[tuple[int, str, str]] = []

    def submit(self, function: Callable[..., Any], *args: Any) -> None:
        self.clock.callLater(0, function, *args)

    def on_dropped(self, count: int, reason: str, uri: str) -> None:
        self.dropped.append((count, reason, uri))

    def outbox(self, limit: int = 1000, timeout: float = 0.05) -> Outbox:
        return Outbox(self.link, self.clock, self.submit, limit, timeout, self.counters, self.on_dropped)

    def latest(self, limit: int = 1000) -> LatestBox:
        return LatestBox(self.link, self.clock, self.submit, 0.1, limit, 5, self.counters, self.on_dropped)

    def numbers(self) -> list[int]:
        return [args[0] for _, args in self.link.sent]

    def turn(self, seconds: float = 0, times: int = 20) -> None:
        for _ in range(times):
            self.clock.advance(seconds / times)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def message(number: int, topic: str = "a.b") -> Publication:
    return Publication(topic, [number])


def test_later_sends_in_order_with_one_acknowledgement_a_batch(bench: Bench) -> None:
    outbox = bench.outbox()
    outbox.resume()
    for number in range(BATCH + 10):
        outbox.put(message(number))
    bench.turn()
    assert bench.numbers() == list(range(BATCH + 10))
    assert len(bench.link.waiting) == 2
    bench.link.acknowledge()
    bench.link.acknowledge()
    assert len(outbox) == 0
    assert bench.counters["published_later"] == BATCH + 10


def test_later_keeps_at_most_a_window_of_batches_on_the_way(bench: Bench) -> None:
    outbox = bench.outbox(limit=100_000)
    outbox.resume()
    for number in range(BATCH * (WINDOW + 2)):
        outbox.put(message(number))
    bench.turn()
    assert len(bench.link.sent) == BATCH * WINDOW
    bench.link.acknowledge()
    bench.turn()
    assert len(bench.link.sent) == BATCH * (WINDOW + 1)


def test_later_sends_again_what_was_not_acknowledged_when_the_session_went(bench: Bench) -> None:
    outbox = bench.outbox()
    outbox.resume()
    for number in range(3):
        outbox.put(message(number))
    bench.turn()
    outbox.pause()
    bench.link.fail(NotConnected("gone"))
    outbox.put(message(3))
    bench.turn()
    assert bench.numbers() == [0, 1, 2]
    outbox.resume()
    bench.turn()
    assert bench.numbers() == [0, 1, 2, 0, 1, 2, 3]


def test_later_drops_the_oldest_while_away_and_counts_it(bench: Bench) -> None:
    outbox = bench.outbox(limit=3)
    for number in range(5):
        outbox.put(message(number))
    assert [count for count, _, _ in bench.dropped] == [1, 1]
    outbox.resume()
    assert bench.numbers() == [2, 3, 4]


def test_later_refuses_when_the_router_takes_nothing(bench: Bench) -> None:
    outbox = bench.outbox(limit=2)
    outbox.resume()
    outbox.put(message(0))
    outbox.put(message(1))
    with pytest.raises(QueueFull, match="WAMP_OUTBOX_MAX"):
        outbox.put(message(2))


def test_later_drops_only_what_the_router_refuses(bench: Bench) -> None:
    outbox = bench.outbox()
    outbox.resume()
    outbox.put(message(0))
    bench.turn()
    bench.link.fail(NotAuthorized("no"))
    assert bench.dropped == [(1, "no", "a.b")]
    assert len(outbox) == 0


def test_latest_sends_the_first_at_once_and_then_one_an_interval(bench: Bench) -> None:
    latest = bench.latest()
    latest.resume()
    for step in range(1000):
        latest.put(message(step))
        bench.clock.advance(0.001)
        while bench.link.waiting:
            bench.link.acknowledge()
    bench.turn(1)
    assert len(bench.link.sent) <= 11
    assert bench.numbers()[0] == 0
    assert bench.numbers()[-1] == 999
    assert bench.counters["conflated"] + len(bench.link.sent) == 1000


def test_latest_keeps_the_newest_through_an_outage(bench: Bench) -> None:
    latest = bench.latest()
    latest.resume()
    latest.put(message(1))
    bench.turn()
    latest.pause()
    bench.link.fail(NotConnected("gone"))
    latest.put(message(2))
    latest.put(message(3))
    bench.turn(1)
    latest.resume()
    bench.turn(1)
    assert bench.numbers() == [1, 3]


def test_latest_sends_again_what_the_router_did_not_acknowledge_but_never_an_older_value(bench: Bench) -> None:
    latest = bench.latest()
    latest.resume()
    latest.put(message(1))
    bench.turn()
    latest.pause()
    bench.link.fail(NotConnected("gone"))
    bench.turn(1)
    latest.resume()
    bench.turn(1)
    assert bench.numbers() == [1, 1]


def test_latest_does_not_let_topics_wait_for_each_other(bench: Bench) -> None:
    latest = bench.latest()
    latest.resume()
    for topic in ("a.a", "a.b", "a.c"):
        latest.put(message(1, topic))
    bench.turn()
    assert [topic for topic, _ in bench.link.sent] == ["a.a", "a.b", "a.c"]


def test_latest_refuses_more_topics_than_its_bound(bench: Bench) -> None:
    latest = bench.latest(limit=1)
    latest.put(message(1, "a.a"))
    latest.put(message(2, "a.a"))
    with pytest.raises(QueueFull, match="WAMP_LATEST_MAX"):
        latest.put(message(1, "a.b"))


def test_latest_keeps_a_value_for_each_audience_of_a_topic(bench: Bench) -> None:
    latest = bench.latest()
    for number, who in enumerate(("user:1", "user:2", "user:1")):
        latest.put(Publication("a.b", [number], options=PublishOptions(eligible_authid=[who])))
    latest.resume()
    bench.turn(1)
    assert sorted(bench.numbers()) == [1, 2]


def test_what_is_not_acknowledged_still_waits(bench: Bench) -> None:
    latest = bench.latest()
    latest.resume()
    latest.put(message(1))
    bench.turn()
    assert len(latest) == 1
    bench.link.acknowledge()
    assert len(latest) == 0
