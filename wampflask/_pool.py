"""A bounded pool of daemon threads in which handlers run.

Unlike ``concurrent.futures`` it refuses work beyond its bound at once, and it goes on taking work after the
main thread has ended, which is when the last invocations of a stopping worker arrive. Daemon threads, because a
handler that never returns must not keep the process alive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Condition, Lock, Thread
from time import monotonic

from .errors import QueueFull

Task = Callable[[], None]


class Pool:
    """At most ``threads`` tasks run at once and at most ``queue`` wait. Safe in any thread."""

    def __init__(self, threads: int, queue: int, name: str) -> None:
        self._threads = threads
        self._queue = queue
        self._name = name
        self._waiting: deque[Task] = deque()
        self._lock = Lock()
        self._offered = Condition(self._lock)
        self._finished = Condition(self._lock)
        self._started = 0
        self._idle = 0
        self._running = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many tasks wait for a thread."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many tasks run now."""
        return self._running

    def submit(self, task: Task) -> None:
        """Run ``task`` in a thread of the pool; it must not raise.

        :raises QueueFull: when every thread is busy and the queue is full.
        """
        with self._lock:
            spare = self._threads - self._running
            if self._closed or len(self._waiting) >= self._queue + spare:
                raise QueueFull(
                    f"{self._running} handlers run and {len(self._waiting)} wait: "
                    "raise WAMP_HANDLER_THREADS or WAMP_HANDLER_QUEUE, or make handlers quicker."
                )
            self._waiting.append(task)
            if self._idle < len(self._waiting) and self._started < self._threads:
                self._started += 1
                Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
            self._offered.notify()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                while not self._waiting:
                    if self._closed:
                        return
                    self._offered.wait()
                self._idle -= 1
                self._running += 1
                task = self._waiting.popleft()
            try:
                task()
            finally:
                del task
                with self._lock:
                    self._running -= 1
                    self._finished.notify_all()

    def drain(self, timeout: float) -> bool:
        """Wait until nothing runs or waits, at most ``timeout`` seconds; say whether that was reached."""
        deadline = monotonic() + timeout
        with self._lock:
            while self._running or self._waiting:
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
