"""The bounded pool of handler threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from wampflask import QueueFull
from wampflask._pool import Pool


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
