"""A bounded pool of daemon threads in which handlers run.

Unlike ``concurrent.futures`` it refuses work beyond its bound at once, and it goes on taking work after the
main thread has ended, which is when the last invocations of a stopping worker arrive. Daemon threads, because a
handler that never returns must not keep the process alive.

A handler that calls a procedure waits for it with its thread in hand. If the procedure's own invocation then had to
wait for a thread of the same pool, or of another worker whose handlers wait for this one's, nobody would ever be
answered. So what a handler of this pool waits for goes first, and while handlers wait, others run in their stead, in up
to :data:`SPARE` further threads. When even those all wait, the next such invocation is refused at once: that handler
fails, and the others go on.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock, Thread
from time import monotonic

from .errors import QueueFull

SPARE = 32
"""Threads, at most, that run in the stead of handlers which wait for calls of their own."""

Task = Callable[[], None]


class Pool:
    """At most ``threads`` tasks run at once, besides those that wait for a call, and at most ``queue`` wait. Safe in
    any thread.
    """

    def __init__(self, threads: int, queue: int, name: str) -> None:
        self._threads = threads
        self._queue = queue
        self._name = name
        self._waiting: deque[Task] = deque()
        self._nested: deque[Task] = deque()
        self._lock = Lock()
        self._offered = Condition(self._lock)
        self._finished = Condition(self._lock)
        self._started = 0
        self._idle = 0
        self._running = 0
        self._called: Counter[str] = Counter()
        self._here = threading.local()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many tasks wait for a thread."""
        return len(self._waiting) + len(self._nested)

    @property
    def running(self) -> int:
        """How many tasks run now."""
        return self._running

    def submit(self, task: Task, procedure: str | None = None) -> None:
        """Run ``task`` in a thread of the pool; it must not raise.

        :param procedure: what it answers, if a worker called it: first, when a handler here waits for such a call.
        :raises QueueFull: when every thread is busy and the queue is full, or every thread waits for a call.
        """
        with self._lock:
            is_nested = procedure in self._called
            self._refuse_excess(is_nested)
            (self._nested if is_nested else self._waiting).append(task)
            self._wake()

    def _refuse_excess(self, is_nested: bool) -> None:
        most = self._threads + SPARE
        if is_nested and self._called.total() == self._running == most:
            raise QueueFull(
                f"All {most} handler threads of this process wait for calls that their handlers made, and none is left "
                "to answer: raise WAMP_HANDLER_THREADS, or let handlers call fewer procedures."
            )
        lane, threads = (self._nested, most) if is_nested else (self._waiting, self._threads)
        if self._closed or len(lane) >= self._queue + max(0, threads - self._running):
            raise QueueFull(
                f"{self._running} handlers run and {self.waiting} wait: "
                "raise WAMP_HANDLER_THREADS or WAMP_HANDLER_QUEUE, or make handlers quicker."
            )

    def _wake(self) -> None:
        most = self._threads + (SPARE if self._nested else 0)
        if self._idle < self.waiting and self._started < most:
            self._started += 1
            Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        self._offered.notify()

    @contextmanager
    def calling(self, procedure: str) -> Iterator[None]:
        """Let other threads run while a handler of this pool waits for its call of ``procedure``."""
        if not hasattr(self._here, "task"):
            yield
            return
        with self._lock:
            self._called[procedure] += 1
            if self._nested:
                self._wake()
        try:
            yield
        finally:
            with self._lock:
                self._called[procedure] -= 1
                if not self._called[procedure]:
                    del self._called[procedure]

    def _work(self) -> None:
        while (task := self._take()) is not None:
            self._here.task = True
            try:
                task()
            finally:
                del task, self._here.task
                with self._lock:
                    self._running -= 1
                    self._finished.notify_all()

    def _take(self) -> Task | None:
        """Return the next task, when there is one that may run; None at the end."""
        with self._lock:
            self._idle += 1
            while not (queue := self._runnable()):
                if self._closed:
                    return None
                self._offered.wait()
            self._idle -= 1
            self._running += 1
            return queue.popleft()

    def _runnable(self) -> deque[Task] | None:
        if self._nested and self._running - self._called.total() < self._threads:
            return self._nested
        if self._waiting and self._running < self._threads:
            return self._waiting
        return None

    def drain(self, timeout: float) -> bool:
        """Wait until nothing runs or waits, at most ``timeout`` seconds; say whether that was reached."""
        deadline = monotonic() + timeout
        with self._lock:
            while self._running or self.waiting:
                left = deadline - monotonic()
                if left <= 0:
                    return False
                self._finished.wait(left)
            return True

    def close(self) -> None:
        """Take no more tasks, and let idle threads end."""
        with self._lock:
            self._closed = True
            self._offered.notify_all()
