"""The engine alone: a clock that stands still until it is moved, and a router that answers when it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from flask import Flask
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wampflask._engine import Engine
from wampflask._live_protocol import Asker
from wampflask.errors import CallFailed, NotAuthorized, NotConnected, QueueFull, WampError
from wampflask.live import Rows, Value
from wampflask.options import PublishOptions
from wampflask.patterns import Pattern
from wampflask.publication import Publication

INTERVAL = 0.1


class Router:
    """A link to a router whose answers wait; ``listeners`` are the roles that hear every topic."""

    def __init__(self) -> None:
        self.session_id: int | None = 1
        self.listeners = ["visitor"]
        self.workers = 1
        self.number = 0
        self.asked: list[tuple[Deferred[Any], int]] = []
        self.published: list[tuple[str, Any, PublishOptions]] = []
        self.refuse: list[WampError] = []

    def call(self, procedure: str, args: Any, kwargs: Any) -> Deferred[Any]:
        assert (procedure, args[1], kwargs) == ("wampflask.live.stamp", self.session_id, {})
        answer: Deferred[Any] = Deferred()
        self.asked.append((answer, len(args[0])))
        return answer

    def publish(self, publication: Publication) -> Deferred[Any]:
        assert not publication.kwargs
        if self.refuse:
            raise self.refuse.pop()
        self.published.append((publication.topic, publication.args, publication.options))
        done: Deferred[Any] = Deferred()
        done.callback(None)
        return done

    def allot(self) -> tuple[Deferred[Any], Any]:
        """Give the first that asks a number; it learns of it by ``answer.callback(result)``."""
        answer, topics = self.asked.pop(0)
        self.number += 1
        return answer, [self.number, [self.listeners] * topics, [self.workers] * topics]


class Bench:
    """An engine whose readings happen at once, where the test says so."""

    def __init__(self, app: Flask) -> None:
        self.clock = Clock()
        self.router = Router()
        self.counts: list[str] = []
        self.engine = Engine(
            app,
            self.router,
            self.clock,
            self.soon,
            interval=INTERVAL,
            threads=1,
            most=3,
            count=self.counts.append,
        )
        self.tasks: list[Callable[[], None]] = []
        self.engine._pool = self  # type: ignore[assignment]  # it takes what a pool is given

    def submit(self, task: Callable[[], None]) -> None:
        self.tasks.append(task)

    def soon(self, function: Callable[..., Any], *args: Any) -> None:
        self.clock.callLater(0, function, *args)

    def turn(self) -> None:
        """Let everything happen that waits for nothing but its turn."""
        for _ in range(8):
            self.clock.advance(0)
            while self.router.asked:
                answer, result = self.router.allot()
                answer.callback(result)
            while self.tasks:
                self.tasks.pop(0)()

    @property
    def events(self) -> list[Any]:
        return [args for _, args, _ in self.router.published]


@pytest.fixture
def bench() -> Bench:
    return Bench(Flask(__name__))


STATE = {"left": 12}


def value(read: Callable[..., Any] = lambda item: dict(STATE), **options: Any) -> Value[..., Any]:
    return Value(Pattern.parse("shop.stock.<item>"), read, allow=("visitor", "user"), **options)


def change(bench: Bench, thing: Any, topic: str = "shop.stock.tea", keys: Sequence[str] = ()) -> None:
    bench.engine.changed(thing, topic, {"item": "tea"}, keys)


def ask(bench: Bench, thing: Any, role: str = "visitor") -> list[Any]:
    heard: list[Any] = []
    asker = Asker(role, lambda state, number: heard.append((state, number)), heard.append)
    bench.engine.ask(thing, "shop.stock.tea", {"item": "tea"}, asker)
    return heard


def test_the_first_change_after_a_rest_is_sent_at_once_and_more_at_the_interval(bench: Bench) -> None:
    thing = value()
    change(bench, thing)
    bench.turn()
    assert bench.events == [[STATE, 1]]
    for _ in range(5):
        change(bench, thing)
    bench.turn()
    assert len(bench.events) == 1
    bench.clock.advance(INTERVAL)
    bench.turn()
    assert bench.events == [[STATE, 1], [STATE, 2]]
    assert len(bench.engine) == 0


def test_a_change_between_a_number_given_and_its_answer_is_followed_by_a_greater_number(bench: Bench) -> None:
    states = iter([{"left": 2}, {"left": 1}])
    thing = value(lambda item: next(states))
    change(bench, thing)
    bench.clock.advance(0)
    bench.clock.advance(0)
    answer, result = bench.router.allot()
    change(bench, thing)
    answer.callback(result)
    bench.turn()
    bench.clock.advance(INTERVAL)
    bench.turn()
    assert bench.events == [[{"left": 2}, 1], [{"left": 1}, 2]]


def test_what_nobody_hears_is_not_read(bench: Bench) -> None:
    bench.router.listeners = []
    thing = value()
    for _ in range(1000):
        change(bench, thing)
        bench.turn()
    assert bench.router.number == 1, "the router is asked at the interval, too"
    bench.clock.advance(INTERVAL)
    bench.turn()
    assert (bench.events, bench.counts, len(bench.engine)) == ([], [], 0)


def test_the_interval_grows_with_the_workers_that_read_the_same(bench: Bench) -> None:
    """Eight workers at ten events a second each would be eighty a second in every page: it gets twenty."""
    bench.router.workers = 8
    thing = value()
    for _ in range(2):
        change(bench, thing)
        bench.turn()
    bench.clock.advance(0.39)
    bench.turn()
    assert len(bench.events) == 1
    bench.clock.advance(0.02)
    bench.turn()
    assert len(bench.events) == 2


def test_many_topics_that_change_at_once_are_one_task_for_the_reactor_and_several_questions(bench: Bench) -> None:
    bench.router.listeners = []
    tasks: list[Callable[..., Any]] = []
    bench.engine._submit = lambda function, *_: tasks.append(function)
    thing = value()
    for number in range(2500):
        bench.engine.changed(thing, f"shop.stock.{number}", {"item": str(number)}, ())
    assert len(tasks) == 1
    tasks[0]()
    for _ in range(4):
        bench.clock.advance(0)
    assert [topics for _, topics in bench.router.asked] == [1000, 1000, 500]
    bench.turn()
    bench.clock.advance(INTERVAL)
    bench.clock.advance(INTERVAL)
    assert not bench.engine._entries


def test_those_who_ask_share_one_reading(bench: Bench) -> None:
    bench.router.listeners = []
    thing = value()
    first, second = ask(bench, thing), ask(bench, thing)
    bench.turn()
    assert first == second == [(STATE, 1)]
    assert bench.counts == ["live_read"]
    assert bench.events == []


def test_too_many_who_ask_are_refused(bench: Bench) -> None:
    thing = value()
    for _ in range(3):
        ask(bench, thing)
    with pytest.raises(QueueFull, match="WAMP_HANDLER_QUEUE"):
        ask(bench, thing)


def test_each_role_gets_its_own(bench: Bench) -> None:
    bench.router.listeners = ["admin", "visitor"]
    thing = value(lambda item, role: {"for": role}, per="role")
    change(bench, thing)
    heard = ask(bench, thing, "user")
    bench.turn()
    assert heard == [({"for": "user"}, 1)]
    eligible = {json.dumps(options.eligible_authrole): args for _, args, options in bench.router.published}
    assert eligible['["visitor"]'] == [{"for": "visitor"}, 1]
    assert eligible['["admin"]'] == [{"for": "admin"}, 1]


def test_one_role_that_may_not_see_it_is_not_the_others_refusal(bench: Bench) -> None:
    def read(item: str, role: str) -> dict[str, str]:
        if role == "visitor":
            raise NotAuthorized("Log in.")
        return {"for": role}

    bench.router.listeners = ["admin", "visitor"]
    thing = value(read, per="role")
    change(bench, thing)
    refused, heard = ask(bench, thing, "visitor"), ask(bench, thing, "user")
    bench.turn()
    assert isinstance(refused[0], NotAuthorized)
    assert heard == [({"for": "user"}, 1)]
    sent = {next(iter(options.eligible_authrole or [""])): args for _, args, options in bench.router.published}
    assert sent["admin"] == [{"for": "admin"}, 1]
    assert sent["visitor"] == [None, 1], "it is to ask, and learn why"


def test_what_is_personal_is_never_sent(bench: Bench) -> None:
    thing = value(lambda item, viewer: pytest.fail("it was read for all"), per="person")
    change(bench, thing)
    bench.turn()
    assert bench.events == [[None, 1]]


def test_rows_tell_what_changed_and_what_is_gone(bench: Bench) -> None:
    table = {"a": {"id": "a", "n": 1}, "b": {"id": "b", "n": 2}}
    asked: list[Any] = []

    def rows(item: str, keys: list[str] | None) -> list[dict[str, Any]]:
        asked.append(keys)
        return [row for key, row in table.items() if keys is None or key in keys]

    thing = Rows(Pattern.parse("shop.rows.<item>"), rows, allow=("visitor",))
    bench.engine.changed(thing, "shop.rows.x", {"item": "x"}, ["a", "gone"])
    bench.turn()
    assert bench.events == [[{"rows": {"a": table["a"]}, "gone": ["gone"]}, 1]]
    bench.engine.changed(thing, "shop.rows.x", {"item": "x"}, [])
    bench.clock.advance(INTERVAL)
    bench.turn()
    assert bench.events[1] == [{"rows": table, "all": True}, 2]
    assert asked == [["a", "gone"], None]


def test_a_number_of_another_session_is_not_used(bench: Bench) -> None:
    thing = value()
    change(bench, thing)
    bench.clock.advance(0)
    bench.clock.advance(0)
    answer, result = bench.router.allot()
    answer.callback(result)
    bench.router.session_id = 2
    bench.turn()
    bench.clock.advance(INTERVAL)
    bench.turn()
    assert bench.events == [[STATE, 2]]


def test_changes_wait_for_a_session_and_those_who_ask_do_not(bench: Bench) -> None:
    bench.router.session_id = None
    thing = value()
    change(bench, thing)
    heard = ask(bench, thing)
    bench.turn()
    assert isinstance(heard[0], NotConnected)
    assert len(bench.engine) == 1
    bench.router.session_id = 2
    bench.engine.resume()
    bench.turn()
    assert bench.events == [[STATE, 1]]


def test_a_reading_that_fails_is_tried_again_and_told_by_its_number_only(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Any] = [RuntimeError("the secret"), STATE]

    def read(item: str) -> Any:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    thing = value(read)
    change(bench, thing)
    heard = ask(bench, thing)
    bench.turn()
    assert isinstance(heard[0], CallFailed)
    assert heard[0].uri == "wampflask.error.internal"
    assert "secret" not in str(heard[0])
    assert "the secret" in caplog.text
    bench.clock.advance(0.2)
    bench.turn()
    assert bench.events == [[STATE, 1 + 1]]


def test_a_state_that_is_no_more_makes_pages_ask_and_learn_why(bench: Bench) -> None:
    def read(item: str) -> Mapping[str, Any]:
        raise CallFailed("shop.error.not_found", "No such item.")

    thing = value(read)
    change(bench, thing)
    heard = ask(bench, thing)
    bench.turn()
    assert heard[0].uri == "shop.error.not_found"
    assert bench.events == [[None, 1]]
    assert len(bench.engine) == 0


def test_what_could_not_be_sent_is_sent_again(bench: Bench) -> None:
    bench.router.refuse = [NotConnected("away")]
    thing = value()
    change(bench, thing)
    bench.turn()
    bench.clock.advance(INTERVAL)
    bench.turn()
    assert bench.events == [[STATE, 2]]


def test_a_router_that_gives_no_number_is_asked_again(bench: Bench) -> None:
    thing = value()
    change(bench, thing)
    bench.clock.advance(0)
    bench.clock.advance(0)
    answer, _ = bench.router.asked.pop(0)
    answer.errback(CallFailed("wamp.error.runtime_error"))
    bench.turn()
    assert bench.events == []
    bench.clock.advance(0.2)
    bench.turn()
    assert bench.events == [[STATE, 1]]


def test_what_changes_by_itself_is_read_while_somebody_listens(bench: Bench) -> None:
    thing = value(every=10.0)
    ask(bench, thing)
    bench.turn()
    bench.clock.advance(10)
    bench.turn()
    assert bench.events == [[STATE, 2]]
    bench.router.listeners = []
    bench.clock.advance(10)
    bench.turn()
    bench.clock.advance(10)
    bench.turn()
    assert len(bench.events) == 1
    assert not bench.engine._entries
    assert not bench.clock.getDelayedCalls()
