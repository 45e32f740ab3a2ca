"""Carries the ids of tasks from who appends them to a worker: Huey's queues. The only importer of Huey.

An id that is lost on the way is found again by a worker, and one that comes twice does no harm (``task_rows.py``). So
what is appended is safe once its row is written, also while the queue cannot be reached.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from huey import RedisHuey, SqliteHuey
from huey.consumer import Consumer
from huey.serializer import SignedSerializer

FIRST_LOOK, LAST_LOOK = 0.05, 0.25
"""Seconds between two looks into an empty SQLite queue: first, and at most."""
AWAY_MAX = 5.0
"""Seconds between two looks, at most, while a Redis is away; otherwise it says itself when there is something."""

log = logging.getLogger(__name__)


class TaskQueues:
    """The queues of one app, before and after a fork.

    :param url: ``sqlite:///path`` or ``redis://…``, as ``WAMP_QUEUE``.
    :param realm: sets this app's queues apart from others' in one Redis.
    :param secret: signs what is put in, so that who can write to Redis cannot run code here.
    """

    def __init__(self, url: str, realm: str, secret: str) -> None:
        self._url = url
        self._realm = realm
        self._secret = secret
        self._lock = Lock()
        self._made: dict[tuple[int, str], Any] = {}
        self._run: Callable[[str], None] = _nothing

    def put(self, queue: str, task: str, delay: float = 0.0) -> bool:
        """Put a task's id in; return whether that worked. What did not is put in by a worker later.

        :param delay: seconds until a worker gets it.
        """
        try:
            carrier = self._carrier(queue)
            carrier.enqueue(carrier.wampflask_run.s(task, **({"delay": delay} if delay > 0 else {})))
        except Exception as error:  # a boundary: the client of Redis has errors of its own, and the row is safe
            log.warning("The queue %s cannot be reached; the task %s… waits for that: %s", queue, task[:8], error)
            return False
        return True

    def is_empty(self, queue: str) -> bool:
        """Return whether no id is in there."""
        return not self._carrier(queue).storage.queue_size()

    def consumer(self, queue: str, threads: int, run: Callable[[str], None]) -> Running:
        """Begin to take ids out, and call ``run`` with each, in threads."""
        self._run = run
        return Running(self._carrier(queue), threads)

    def _deliver(self, task: str) -> None:
        self._run(task)

    def _carrier(self, queue: str) -> Any:
        key = (os.getpid(), queue)
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(f"{self._realm}_{queue}")
            return self._made[key]

    def _make(self, name: str) -> Any:
        options = {"results": False, "serializer": SignedSerializer(self._secret)}
        parts = urlsplit(self._url)
        if parts.scheme == "sqlite":
            made = SqliteHuey(name, filename=unquote(parts.path.removeprefix("/")), **options)
        else:
            made = RedisHuey(name.replace(".", "_"), url=self._url, **options)
        made.wampflask_run = made.task(name="wampflask_run")(self._deliver)
        return made


class Running:
    """Threads that take ids out of one queue."""

    def __init__(self, carrier: Any, threads: int) -> None:
        last = AWAY_MAX if carrier.storage.blocking else LAST_LOOK
        self._consumer = Consumer(
            carrier, workers=threads, periodic=False, initial_delay=FIRST_LOOK, backoff=2, max_delay=last
        )
        self._threads = [self._consumer.scheduler, *(thread for _, thread in self._consumer.worker_threads)]
        for thread in self._threads:  # not Consumer.start(), which would take this process's signals
            thread.name = f"wampflask-{carrier.name}-{thread.name}"
            thread.start()

    def look_after(self) -> None:
        """Replace threads that have died."""
        self._consumer.check_worker_health()

    def stop(self) -> None:
        """Take no more ids; what runs goes on."""
        self._consumer.stop_flag.set()

    def join(self, timeout: float) -> None:
        """Wait for the threads, at most ``timeout`` seconds each."""
        for thread in self._threads:
            thread.join(timeout)


def _nothing(_task: str) -> None:
    """Stand for the worker in a process that has none."""
