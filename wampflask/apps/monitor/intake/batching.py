"""Many callers, one transaction: the first caller works for all that wait by then.

Fifty uploads a second would be fifty transactions, each waiting for the database's one write lock; so those that
arrive while one is under way share the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

AT_ONCE = 64
"""Tasks in one transaction, at most."""


class _Entry(Generic[Task, Result]):
    def __init__(self, task: Task) -> None:
        self.task = task
        self.outcome: Result | Exception | None = None
        self.done = False


class Batcher(Generic[Task, Result]):
    """Safe in any thread.

    :param work: does several tasks, and returns for each its result, or the exception for its caller.
    """

    def __init__(self, work: Callable[[Sequence[Task]], Sequence[Result | Exception]]) -> None:
        self._work = work
        self._turn = Lock()
        self._guard = Lock()
        self._waiting: list[_Entry[Task, Result]] = []

    def __call__(self, task: Task) -> Result:
        """Do one task, together with those that wait.

        :raises Exception: the task's own, or the one that stopped the whole batch.
        """
        entry: _Entry[Task, Result] = _Entry(task)
        with self._guard:
            self._waiting.append(entry)
        while not entry.done:
            with self._turn:
                if not entry.done:
                    self._lead()
        if isinstance(entry.outcome, Exception):
            raise entry.outcome
        return entry.outcome  # type: ignore[return-value]  # done, and no exception

    def _lead(self) -> None:
        with self._guard:
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        outcomes: Sequence[Result | Exception]
        try:
            outcomes = self._work([entry.task for entry in batch])
        except Exception as error:  # a boundary: each caller gets it
            outcomes = [error] * len(batch)
        for entry, outcome in zip(batch, outcomes, strict=True):
            entry.outcome, entry.done = outcome, True
