"""The library's own tables: made when they are first used, shared by threads and processes, alike on each database."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, String, Table, func, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from rig.databases import url_in
from wampflask.store import Store, metadata

CLAIMS = Table(
    "wampflask_test_claims", metadata, Column("name", String(40), primary_key=True), Column("holder", Integer)
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(store_url(tmp_path))
    yield store
    store.close()


def count(store: Store) -> int:
    with store.transaction() as connection:
        return connection.scalar(select(func.count()).select_from(CLAIMS)) or 0


def test_tables_are_made_at_the_first_use_and_a_claim_is_given_once(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute(insert(CLAIMS).values(name="nightly", holder=1))
    with pytest.raises(IntegrityError), store.transaction() as connection:
        connection.execute(insert(CLAIMS).values(name="nightly", holder=2))
    assert count(store) == 1


def insert_twice(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute(insert(CLAIMS).values(name="nightly", holder=1))
        connection.execute(insert(CLAIMS).values(name="nightly", holder=2))


def test_what_an_error_interrupts_is_rolled_back(store: Store) -> None:
    with pytest.raises(IntegrityError):
        insert_twice(store)
    assert count(store) == 0


def claim(store: Store, barrier: object, answers: multiprocessing.Queue[bool]) -> None:
    barrier.wait()  # type: ignore[attr-defined]  # multiprocessing's barrier has no public type
    try:
        with store.transaction() as connection:
            connection.execute(insert(CLAIMS).values(name="nightly", holder=os.getpid()))
        answers.put(True)
    except IntegrityError:
        answers.put(False)


def test_of_processes_that_make_the_tables_and_claim_at_once_one_wins(tmp_path: Path) -> None:
    store = Store(store_url(tmp_path))
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(4), context.Queue()
    processes = [context.Process(target=_spawned, args=(store_url(tmp_path), barrier, answers)) for _ in range(4)]
    for process in processes:
        process.start()
    assert sorted(answers.get(timeout=60) for _ in processes) == [False, False, False, True]
    for process in processes:
        process.join()
    assert count(store) == 1
    store.close()


def store_url(folder: Path) -> str:
    return url_in(folder, "wamp")


def _spawned(url: str, barrier: object, answers: multiprocessing.Queue[bool]) -> None:
    claim(Store(url), barrier, answers)


def test_a_database_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'missing' / 'wamp.db'}")
    with pytest.raises(OperationalError), store.transaction():
        pass
