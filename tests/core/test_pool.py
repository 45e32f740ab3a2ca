"""The bounded pool of handler threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from wampflask import QueueFull
from wampflask._pool import SPARE, Pool


def wait_for(gate: threading.Event) -> None:
    gate.wait(5)


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(threads=2, queue=1, name="wamp-test")
    yield pool
    pool.close()


def test_it_refuses_what_is_beyond_threads_and_queue(pool: Pool) -> None:
    gate = threading.Event()
    for _ in range(3):
        pool.submit(partial(wait_for, gate))
    with pytest.raises(QueueFull, match="WAMP_HANDLER_QUEUE"):
        pool.submit(gate.set)
    gate.set()
    assert pool.drain(5)
    pool.submit(gate.clear)
    assert pool.drain(5)
    assert not gate.is_set()


def test_drain_gives_up_after_its_time(pool: Pool) -> None:
    gate = threading.Event()
    pool.submit(partial(wait_for, gate))
    assert not pool.drain(0.05)
    gate.set()
    assert pool.drain(5)


def test_a_task_that_fails_does_not_take_its_thread_along(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    for _ in range(4):
        pool.submit(lambda: None)
        assert pool.drain(5)
    pool.submit(done.set)
    assert done.wait(5)


def test_a_closed_pool_takes_nothing(pool: Pool) -> None:
    pool.close()
    with pytest.raises(QueueFull):
        pool.submit(lambda: None)


class Chain:
    """Procedures as a router would bring them back: calling one submits its handler, and waits for its end."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.answers: list[int] = []
        self.refusals: list[str] = []

    def start(self, procedure: str, depth: int) -> threading.Event:
        """Call from outside the pool."""
        done = threading.Event()
        self._pool.submit(partial(self._handle, depth, done), procedure)
        return done

    def _handle(self, depth: int, done: threading.Event) -> None:
        if depth:
            try:
                with self._pool.calling(f"level{depth - 1}"):
                    assert self.start(f"level{depth - 1}", depth - 1).wait(10)
            except QueueFull as error:
                self.refusals.append(str(error))
                done.set()
                return
        self.answers.append(depth)
        done.set()


@pytest.mark.parametrize(("threads", "callers", "depth"), [(1, 1, 1), (1, 1, 20), (8, 8, 1), (2, 200, 1), (8, 60, 3)])
def test_handlers_that_call_their_own_process_are_all_answered(threads: int, callers: int, depth: int) -> None:
    pool = Pool(threads, 1000, "wamp-nested")
    chain = Chain(pool)
    waiting = [chain.start(f"level{depth}", depth) for _ in range(callers)]
    assert all(done.wait(10) for done in waiting)
    assert chain.refusals == []
    assert len(chain.answers) == callers * (depth + 1)
    pool.close()


def test_a_call_without_end_is_refused_at_once_and_names_the_key() -> None:
    pool = Pool(2, 1000, "wamp-nested")
    chain = Chain(pool)
    assert chain.start("level1000", 1000).wait(10)
    assert pool.drain(10)
    (refusal,) = chain.refusals
    assert f"All {2 + SPARE} handler threads" in refusal
    assert "WAMP_HANDLER_THREADS" in refusal
    pool.close()


def test_a_waiting_handler_gives_its_place_only_to_what_a_handler_waits_for(pool: Pool) -> None:
    gate, calling = threading.Event(), threading.Semaphore(0)
    ran: list[str] = []

    def call() -> None:
        with pool.calling("demo.inner"):
            calling.release()
            gate.wait(10)

    for _ in range(2):
        pool.submit(call)
        assert calling.acquire(timeout=5)
    pool.submit(partial(ran.append, "other"))
    inner = threading.Event()
    pool.submit(inner.set, "demo.inner")
    assert inner.wait(5)
    assert ran == []
    gate.set()
    assert pool.drain(5)
    assert ran == ["other"]
