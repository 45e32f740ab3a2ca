"""Runs the tasks of some queues in threads of this process: what stands behind ``flask wamp worker``.

What a task is lies in its row (``task_rows.py``). This process says there, a few times in each ``WAMP_TASK_LEASE``,
that it is alive; when it has not for that long, another worker takes its tasks from it. So a task may go on here that
is not ours any more: its next ``wampflask.progress()`` raises, and its end counts for nothing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Event, Lock, Thread
from typing import Any

from flask import Flask

from . import payload
from ._current import KEY
from ._declarations import place
from .errors import INTERNAL, CallFailed, Cancelled
from .progress import current_reporter
from .task_queues import Running
from .task_rows import Begun
from .tasks import Kind, Queues, carrier_of, dump, rows_of

INTERVAL = 0.1
"""Seconds between two times that progress is written, at least."""
LOOK = 0.5
"""Seconds between two looks for tasks that were cancelled or taken away, while any run."""
OVERDUE = 5.0
"""Seconds after which a task that waits in vain, in front of an empty queue, is put into it again."""
LONG_OVERDUE = 600.0
"""Seconds after which that is done while others wait, too: perhaps it only waits its turn, and comes twice then."""
STUBBORN = 10.0
"""Seconds beyond its time after which a task that never asks is given up."""
UNKNOWN_DELAY = 10.0
"""Seconds until a task is tried again that this worker does not know: one of a newer version may."""
RETRY_MAX = 3600.0
PRUNE_EVERY = 60.0
AT_ONCE = 1000


@dataclass(eq=False)
class Run:
    """A task that runs here; what :func:`wampflask.progress` talks to, in its thread."""

    task: Begun
    kind: Kind
    news: Condition
    begun: float = field(default_factory=time.monotonic)
    fraction: float = 0.0
    words: str = ""
    unwritten: bool = False
    stop: str = ""
    """Why it is to stop: ``cancelled``, ``late``, ``lost`` or ``ending``."""

    @property
    def key(self) -> tuple[str, int]:
        """What it is known by: a task may run here again while a lost attempt at it has not noticed yet."""
        return self.task.id, self.task.attempt

    def check(self) -> None:
        if not self.stop and self.kind.timeout is not None and time.monotonic() > self.begun + self.kind.timeout:
            self.stop = "late"
        if self.stop:
            raise Cancelled(_WHY[self.stop].format(self.task.name))

    def report(self, *values: Any) -> None:
        fraction, words = (*values, self.words)[:2]
        if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
            raise ValueError(f"progress({fraction!r}) in a task: how far it is, from 0 to 1.")
        with self.news:
            self.fraction, self.words, self.unwritten = float(fraction), payload.clean_value(str(words)), True
            self.news.notify()


_WHY = {
    "cancelled": "The task {} was cancelled.",
    "late": "The task {} takes longer than it may.",
    "lost": "The task {} is another worker's now.",
    "ending": "This worker ends; the task {} is put back.",
}


class TaskWorker:
    """Runs tasks until it is stopped.

    :param app: whose tasks they are.
    :param queues: names; none means every queue of the app.
    :param threads: tasks of one queue that may run at a time.
    :raises ConfigError: for a queue that the app has not declared.
    """

    def __init__(self, app: Flask, queues: Iterable[str] = (), threads: int = 1) -> None:
        self._app = app
        self._client = app.extensions[KEY]
        self._declared = Queues.of(self._client.declarations)
        self.queues = tuple(queue.name for queue in self._declared.find(queues))
        self.name = secrets.token_hex(16)
        self._threads = threads
        self._rows = rows_of(self._client)
        self._carrier = carrier_of(self._client)
        self._lease: float = self._client.config.task_lease
        self._news = Condition(Lock())
        self._runs: dict[tuple[str, int], Run] = {}
        self._ended = Event()
        self._closed = False
        self._beginning = 0
        self._taking: list[Running] = []
        self._keeper = Thread(target=self._keep, name=f"wampflask-tasks-{self.name[:8]}", daemon=True)

    # -- the process

    def start(self) -> None:
        """Begin to take tasks."""
        self._keeper.start()
        self._taking = [self._carrier.consumer(name, self._threads, self.run) for name in self.queues]

    def stop(self, grace: float) -> None:
        """Take no more tasks, let those that run finish, and put back those that do not: they begin anew elsewhere.

        :param grace: seconds that they have to finish; then ``wampflask.progress()`` raises in them, and they have
            half of that again, but a second at most.
        """
        with self._news:
            self._closed = True
        for taking in self._taking:
            taking.stop()
        if not self._wait(grace):
            self._stop_all("ending")
            self._wait(min(grace / 2, 1.0))
        for run in tuple(self._runs.values()):
            self._put_back(run)
        self._ended.set()
        with self._news:
            self._news.notify()
        self._keeper.join(5)
        for taking in self._taking:
            taking.join(1)

    def _wait(self, seconds: float) -> bool:
        """Wait until nothing runs; return whether that was reached."""
        deadline = time.monotonic() + seconds
        with self._news:
            return self._news.wait_for(
                lambda: not self._runs and not self._beginning, max(0.0, deadline - time.monotonic())
            )

    def _stop_all(self, why: str) -> None:
        with self._news:
            for run in self._runs.values():
                run.stop = run.stop or why

    def run_waiting(self) -> int:
        """Run everything that waits and is due, in this thread; return how many that were. For tests."""
        count = 0
        while found := [task for name in self.queues for task in self._rows.overdue(name, 0, AT_ONCE)]:
            for task in found:
                self.run(task)
                count += 1
        return count

    # -- one task

    def run(self, task: str) -> None:
        """Run a task, if it waits; in a thread of its queue."""
        run = self._begin(task)
        if run is None:
            return
        try:
            self._announce(task)
            self._finish(run, *self._call(run))
        finally:
            with self._news:
                self._runs.pop(run.key, None)
                self._news.notify_all()

    def _begin(self, task: str) -> Run | None:
        """Begin a task, if it waits, and this worker takes any."""
        with self._news:
            self._beginning += 1
        try:
            if self._closed:
                self._return(task)
                return None
            begun = self._rows.begin(task, self.name)
            kind = None if begun is None else self._declared.named[begun.queue].kinds.get(begun.name)
            if begun is not None and kind is None:
                self._postpone(begun)
            if begun is None or kind is None:
                return None
            run = Run(begun, kind, self._news)
            self._runs[run.key] = run
            return run
        finally:
            with self._news:
                self._beginning -= 1
                self._news.notify_all()

    def _return(self, task: str) -> None:
        """Put in again what this worker takes no more."""
        found = self._rows.status(task)
        if found is not None:
            self._carrier.put(found.queue, task)

    def _call(self, run: Run) -> tuple[str, BaseException | None]:
        """Return what the function returned, as JSON, or what it raised."""
        token = current_reporter.set(run)
        try:
            with self._app.app_context():
                result = run.kind.function(*run.task.args, **run.task.kwargs)
                return dump(payload.clean_value(result), f"The result of {run.kind.name}"), None
        except Exception as error:  # a boundary: whatever a task raises is its end, not its worker's
            return "null", error
        finally:
            current_reporter.reset(token)

    def _finish(self, run: Run, result: str, error: BaseException | None) -> None:
        """Write down how a task has ended."""
        task = run.task
        if run.stop == "lost":
            return
        if error is None:
            is_ours = self._rows.end(task, self.name, "done", result=result, fraction=1.0)
        elif run.stop == "cancelled":
            is_ours = self._rows.end(task, self.name, "cancelled")
        elif run.stop == "ending":
            self._put_back(run)
            return
        elif isinstance(error, CallFailed) and error.uri != INTERNAL:
            words = ", ".join(map(str, error.args)) or str(error.uri)
            is_ours = self._rows.end(task, self.name, "failed", reason=words)
        elif run.stop == "late":
            is_ours = self._fail(run, f"It took more than {run.kind.timeout:g} s")
        else:
            is_ours = self._fail(run, "An error", error)
        if is_ours:
            self._announce(task.id)
        else:
            self._app.logger.warning("The task %s of %s ended here, but was not ours any more.", task.name, task.queue)

    def _fail(self, run: Run, reason: str, error: BaseException | None = None) -> bool:
        """End a task that failed, or let it wait for its next attempt."""
        task, number = run.task, ""
        if error is not None:
            number = secrets.token_hex(4)
            about = (number, task.name, task.queue, place(run.kind.function))
            self._app.logger.error("Error %s in the task %s of the queue %s, %s", *about, exc_info=error)
        if not task.retries:
            return self._rows.end(task, self.name, "failed", error=number, reason=f"{reason}.")
        delay = min(run.kind.retry_delay * 2 ** (task.attempt - 1), RETRY_MAX)
        words = f"{reason}: it is tried again."
        is_ours = self._rows.put_back(
            task, self.name, delay=delay, retries=task.retries - 1, reason=words, error=number
        )
        self._carrier.put(task.queue, task.id, delay)
        return is_ours

    def _put_back(self, run: Run) -> None:
        """Let a task begin anew elsewhere; that takes none of its retries."""
        task = run.task
        words = "Its worker has ended: it begins anew."
        if self._rows.put_back(task, self.name, delay=0, retries=task.retries, reason=words):
            run.stop = "lost"
            self._carrier.put(task.queue, task.id)
            self._announce(task.id)

    def _postpone(self, task: Begun) -> None:
        self._app.logger.error("No task %s in the queue %s here: is this worker of an older version?", *_names(task))
        self._rows.put_back(
            task, self.name, delay=UNKNOWN_DELAY, retries=task.retries, reason="Its worker does not know it yet."
        )
        self._carrier.put(task.queue, task.id, UNKNOWN_DELAY)

    def _announce(self, task: str) -> None:
        """Let pages know that a task has changed; it goes on, whatever becomes of that."""
        try:
            with self._app.app_context():
                self._declared.announce(task)
        except Exception:  # a boundary: such as a process in which no reactor can run
            self._app.logger.exception("Pages do not learn that the task %s… has changed", task[:8])

    # -- what is done beside the tasks, in a thread of its own

    def _keep(self) -> None:
        """Write progress, say that this worker is alive, and look after what was cancelled, late or lost."""
        alive = looked = mended = pruned = time.monotonic() - PRUNE_EVERY
        while not self._ended.is_set():
            now = time.monotonic()
            try:
                if now - alive >= self._lease / 4:
                    alive = now
                    self._write(alive=True)
                else:
                    self._write(alive=False)
                if self._runs and now - looked >= LOOK:
                    looked = now
                    self._look()
                if now - mended >= min(self._lease / 2, OVERDUE / 2):
                    mended = now
                    self._mend()
                if now - pruned >= PRUNE_EVERY:
                    pruned = now
                    self._rows.prune(self._client.config.task_keep)
            except Exception:  # a boundary: a database that is away comes back
                self._app.logger.exception("A worker could not look after its tasks; it tries again.")
                self._ended.wait(LOOK)
            self._ended.wait(INTERVAL)
            with self._news:
                if not self._has_news() and not self._ended.is_set():
                    self._news.wait(min(LOOK, self._lease / 4))

    def _has_news(self) -> bool:
        return any(run.unwritten for run in self._runs.values())

    def _write(self, *, alive: bool) -> None:
        with self._news:
            news = [run for run in self._runs.values() if run.unwritten]
            for run in news:
                run.unwritten = False
            progress = [(run.task, run.fraction, run.words) for run in news]
            running = [task for task, _ in self._runs] if alive else []
        if progress or running:
            self._rows.note(self.name, progress, running)
        for task, _, _ in progress:
            self._announce(task.id)

    def _look(self) -> None:
        with self._news:
            runs = tuple(self._runs.values())
        wanted = self._rows.wanted(self.name)
        for run in runs:
            cancelling = wanted.get(run.key)
            if cancelling is None and run.key in self._runs:
                run.stop = "lost"
            elif cancelling and not run.stop:
                run.stop = "cancelled"
            elif run.kind.timeout is not None and time.monotonic() > run.begun + run.kind.timeout + STUBBORN:
                self._give_up(run)

    def _give_up(self, run: Run) -> None:
        """End a task that is late and never asks: not tried again, since it still runs, and keeps its thread."""
        self._app.logger.error("The task %s of %s is late, and never calls progress().", *_names(run.task))
        words = f"It took more than {run.kind.timeout:g} s, and could not be stopped."
        if self._rows.end(run.task, self.name, "failed", reason=words):
            self._announce(run.task.id)
        run.stop = "lost"

    def _mend(self) -> None:
        for taking in self._taking:
            taking.look_after()
        for task, worker in self._rows.lost(self.queues, self._lease):
            self._take_over(task, worker)
        for name in self.queues:
            with suppress(Exception):  # the queue cannot be reached; this is tried again
                self._carry_again(name)

    def _take_over(self, task: Begun, worker: str) -> None:
        """Let a task be tried again whose worker was lost, if it may be."""
        self._app.logger.warning("The worker of a task %s of %s was lost.", *_names(task))
        if not task.retries:
            is_ours = self._rows.end(task, worker, "failed", reason="Its worker was lost.")
        else:
            words = "Its worker was lost: it is tried again."
            is_ours = self._rows.put_back(task, worker, delay=0, retries=task.retries - 1, reason=words)
            if is_ours:
                self._carrier.put(task.queue, task.id)
        if is_ours:
            self._announce(task.id)

    def _carry_again(self, queue: str) -> None:
        """Put in again what waits in front of an empty queue, or for very long: its id may be lost."""
        patience = OVERDUE if self._carrier.is_empty(queue) else LONG_OVERDUE
        tasks = self._rows.overdue(queue, patience, AT_ONCE)
        self._rows.postpone(tasks)
        for task in tasks:
            self._carrier.put(queue, task)


def _names(task: Begun) -> tuple[str, str]:
    return task.name, task.queue
