"""What is true of each task: its row in the library's own store.

A queue only carries ids. Whatever it loses or delivers twice, the row decides: a task is begun by the one worker that
turns its row from waiting to running, and ended by the worker that still has it. Any thread.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.sql import ColumnElement

from .reading import reading
from .store import Store, metadata

State = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
WORDS_MAX = 200
"""Characters of the words beside a task's progress; more are cut off."""

TASKS = Table(
    "wampflask_task",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("queue", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("data", Text, nullable=False),
    Column("state", String(9), nullable=False),
    Column("fraction", Float, nullable=False, default=0.0),
    Column("words", String(WORDS_MAX), nullable=False, default=""),
    Column("attempt", Integer, nullable=False, default=0),
    Column("retries", Integer, nullable=False),
    Column("due", Float, nullable=False),
    Column("appended", Float, nullable=False),
    Column("changed", Float, nullable=False),
    Column("worker", String(32), nullable=False, default=""),
    Column("alive", Float, nullable=False, default=0.0),
    Column("cancelling", Boolean, nullable=False, default=False),
    Column("result", Text, nullable=False, default="null"),
    Column("error", String(8), nullable=False, default=""),
    Column("reason", String(WORDS_MAX), nullable=False, default=""),
    Index("wampflask_task_by_queue", "queue", "state", "due"),
    Index("wampflask_task_by_state", "state", "changed"),
)

_SHOWN = [column for column in TASKS.c if column.name not in ("data", "result")]


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """A task as it was a moment ago.

    :param fraction: how far it is, from 0 to 1.
    :param words: what it does now, or why it failed, for people.
    :param attempt: how often it has been begun.
    :param retries: how often it may be begun again.
    :param appended: when it was appended, in seconds since 1970.
    :param changed: when its state or progress changed last, in seconds since 1970.
    :param error: the id of its error in the log; empty when there is none.
    :param cancelling: it runs, and was asked to stop.
    :param args: what its function is called with, as ``kwargs``; pages do not see them.
    """

    id: str
    queue: str
    name: str
    state: State
    fraction: float
    words: str
    attempt: int
    retries: int
    appended: float
    changed: float
    error: str
    cancelling: bool
    args: list[Any]
    kwargs: dict[str, Any]

    @property
    def ended(self) -> bool:
        """Whether it neither waits nor runs."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tasks of a queue are in each state; those that have ended, as long as they are kept."""

    waiting: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """A task that a worker has begun: ``attempt`` and the worker's name are the proof that it is still its own."""

    id: str
    queue: str
    name: str
    args: list[Any]
    kwargs: dict[str, Any]
    attempt: int
    retries: int


class TaskRows:
    """The rows of one app's tasks.

    :param store: the library's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # -- by whom it was appended, or who watches

    def add(self, task: str, queue: str, name: str, data: str, *, retries: int) -> None:
        """Add a task that waits.

        :param data: its arguments, as JSON.
        """
        now = time.time()
        row = {"id": task, "queue": queue, "name": name, "data": data, "retries": retries, "due": now}
        with self._store.transaction() as connection:
            connection.execute(insert(TASKS).values(**row, state="waiting", appended=now, changed=now))

    def status(self, task: str) -> TaskStatus | None:
        """Return how a task is; None when there is none of this id."""
        found = self._statuses(TASKS.c.id == task, 1)
        return found[0] if found else None

    def statuses(self, queue: str, states: Iterable[State], limit: int, *, args: bool = True) -> list[TaskStatus]:
        """Return the newest tasks of a queue in these states; without ``args``, which may be large, those are empty."""
        return self._statuses((TASKS.c.queue == queue) & TASKS.c.state.in_(list(states)), limit, args=args)

    def _statuses(self, which: ColumnElement[bool], limit: int, *, args: bool = True) -> list[TaskStatus]:
        columns = [*_SHOWN, TASKS.c.data if args else literal("[[],{}]").label("data")]
        query = select(*columns).where(which).order_by(TASKS.c.appended.desc(), TASKS.c.id).limit(limit)
        with reading(), self._store.transaction() as connection:
            return [_status(row) for row in connection.execute(query)]

    def counts(self, queue: str) -> Counts:
        """Return how many tasks of a queue are in each state."""
        query = select(TASKS.c.state, func.count()).where(TASKS.c.queue == queue).group_by(TASKS.c.state)
        with reading(), self._store.transaction() as connection:
            return Counts(**{row[0]: row[1] for row in connection.execute(query)})

    def result(self, task: str) -> Any:
        """Return what a task that is done has returned."""
        with reading(), self._store.transaction() as connection:
            return json.loads(connection.scalar(select(TASKS.c.result).where(TASKS.c.id == task)) or "null")

    def cancel(self, task: str) -> bool:
        """End a task that waits, or ask one that runs to stop; return whether there was anything to do."""
        now = time.time()
        waiting = update(TASKS).where(TASKS.c.id == task, TASKS.c.state == "waiting")
        running = update(TASKS).where(TASKS.c.id == task, TASKS.c.state == "running")
        with self._store.transaction() as connection:
            ended = connection.execute(waiting.values(state="cancelled", changed=now)).rowcount
            return bool(ended or connection.execute(running.values(cancelling=True, changed=now)).rowcount)

    # -- by a worker

    def begin(self, task: str, worker: str) -> Begun | None:
        """Begin a task that waits and is due, for this worker; None when there is none, or another has it."""
        now = time.time()
        which = (TASKS.c.id == task, TASKS.c.state == "waiting", TASKS.c.due <= now + 1)
        values = {"state": "running", "worker": worker, "alive": now, "changed": now, "fraction": 0.0, "words": ""}
        with self._store.transaction() as connection:
            begin = update(TASKS).where(*which).values(**values, attempt=TASKS.c.attempt + 1, reason="", error="")
            if not connection.execute(begin).rowcount:
                return None
            row = connection.execute(select(TASKS).where(TASKS.c.id == task)).one()
        data = json.loads(row.data)
        return Begun(row.id, row.queue, row.name, data[0], data[1], row.attempt, row.retries)

    def note(self, worker: str, progress: Iterable[tuple[Begun, float, str]], alive: Sequence[str]) -> None:
        """Write how far tasks are.

        :param alive: tasks whose worker says that it is.
        """
        now = time.time()
        with self._store.transaction() as connection:
            for task, fraction, words in progress:
                values = {"fraction": fraction, "words": words[:WORDS_MAX], "changed": now}
                connection.execute(update(TASKS).where(*_own(task, worker)).values(**values))
            if alive:
                mine = (TASKS.c.id.in_(alive), TASKS.c.worker == worker, TASKS.c.state == "running")
                connection.execute(update(TASKS).where(*mine).values(alive=now))

    def wanted(self, worker: str) -> dict[tuple[str, int], bool]:
        """Return which tasks this worker still has, by id and attempt, each with whether it was asked to stop."""
        query = select(TASKS.c.id, TASKS.c.attempt, TASKS.c.cancelling)
        with reading(), self._store.transaction() as connection:
            found = connection.execute(query.where(TASKS.c.worker == worker, TASKS.c.state == "running"))
            return {(row.id, row.attempt): row.cancelling for row in found}

    def end(self, task: Begun, worker: str, state: State, **values: Any) -> bool:
        """End a task; return whether it still was this worker's.

        :param values: ``result`` as JSON, ``error``, ``reason``, ``fraction``.
        """
        return self._leave(task, worker, {"state": state, **values})

    def put_back(self, task: Begun, worker: str, *, delay: float, retries: int, reason: str, error: str = "") -> bool:
        """Let a task wait again; return whether it still was this worker's.

        :param delay: seconds until it may be begun.
        :param retries: how often it may be begun again after that.
        """
        values = {"state": "waiting", "due": time.time() + delay, "retries": retries, "error": error}
        return self._leave(task, worker, {**values, "reason": reason})

    def _leave(self, task: Begun, worker: str, values: dict[str, Any]) -> bool:
        values["reason"] = values.get("reason", "")[:WORDS_MAX]
        values |= {"changed": time.time(), "worker": "", "cancelling": False}
        with self._store.transaction() as connection:
            return bool(connection.execute(update(TASKS).where(*_own(task, worker)).values(**values)).rowcount)

    # -- what was lost

    def lost(self, queues: Sequence[str], lease: float) -> list[tuple[Begun, str]]:
        """Return the tasks whose worker has not said for ``lease`` seconds that it is alive, each with that worker."""
        which = (TASKS.c.queue.in_(queues), TASKS.c.state == "running", TASKS.c.alive < time.time() - lease)
        with reading(), self._store.transaction() as connection:
            rows = connection.execute(select(TASKS).where(*which)).all()
        return [(Begun(row.id, row.queue, row.name, [], {}, row.attempt, row.retries), row.worker) for row in rows]

    def overdue(self, queue: str, seconds: float, limit: int) -> list[str]:
        """Return the tasks that could have been begun ``seconds`` ago."""
        query = select(TASKS.c.id).where(
            TASKS.c.queue == queue, TASKS.c.state == "waiting", TASKS.c.due < time.time() - seconds
        )
        with reading(), self._store.transaction() as connection:
            return list(connection.scalars(query.order_by(TASKS.c.due).limit(limit)))

    def postpone(self, tasks: Sequence[str]) -> None:
        """Note that tasks that wait were put into their queue just now."""
        if tasks:
            with self._store.transaction() as connection:
                which = (TASKS.c.id.in_(tasks), TASKS.c.state == "waiting")
                connection.execute(update(TASKS).where(*which).values(due=time.time()))

    def prune(self, seconds: float) -> int:
        """Delete the tasks that ended ``seconds`` ago or earlier; return how many."""
        which = (TASKS.c.state.in_(ENDED), TASKS.c.changed < time.time() - seconds)
        with self._store.transaction() as connection:
            return connection.execute(TASKS.delete().where(*which)).rowcount


def _status(row: Any) -> TaskStatus:
    args, kwargs = json.loads(row.data)
    return TaskStatus(
        id=row.id,
        queue=row.queue,
        name=row.name,
        state=row.state,
        fraction=row.fraction,
        words=row.reason or row.words,
        attempt=row.attempt,
        retries=row.retries,
        appended=row.appended,
        changed=row.changed,
        error=row.error,
        cancelling=row.cancelling,
        args=args,
        kwargs=kwargs,
    )


def _own(task: Begun, worker: str) -> tuple[ColumnElement[bool], ...]:
    return (
        TASKS.c.id == task.id,
        TASKS.c.state == "running",
        TASKS.c.worker == worker,
        TASKS.c.attempt == task.attempt,
    )
