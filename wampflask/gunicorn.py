"""A gunicorn worker for apps whose procedures must not be missing while gunicorn reloads (``kill -HUP``).

gunicorn starts new workers and ends the old ones at once, while the new ones still load the app: for that second nobody
would answer calls. ``gunicorn --worker-class wampflask.gunicorn.Worker`` is ``gthread`` whose workers go on serving
until those that replace them have loaded the app and registered its procedures, or ``--timeout`` seconds have passed.
When all of them are to end, they do so at once.
"""

from __future__ import annotations

import mmap
from time import monotonic
from typing import Any, ClassVar

from gunicorn.workers.gthread import ThreadWorker

from ._current import KEY

_STARTING, _DONE = 1, 0


class _Board:
    """Which workers are still starting, for all processes of one gunicorn: memory that is shared by forking."""

    def __init__(self) -> None:
        self._starting = mmap.mmap(-1, mmap.PAGESIZE)

    def __setitem__(self, age: int, state: int) -> None:
        self._starting[age % mmap.PAGESIZE] = state

    def __getitem__(self, age: int) -> int:
        return self._starting[age % mmap.PAGESIZE]

    def is_replacing(self, age: int) -> bool:
        """Return whether a worker younger than ``age`` is starting."""
        return any(self[younger] == _STARTING for younger in range(age + 1, age + mmap.PAGESIZE // 2))


class Worker(ThreadWorker):  # type: ignore[misc]
    """A gthread worker that waits for its replacement before it ends."""

    _board: ClassVar = _Board()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # in the master, which forks then
        self._end_by: float | None = None
        self._board[self.age] = _STARTING

    @property
    def _is_starting(self) -> bool:
        return bool(self._board[self.age] == _STARTING)

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """End at SIGTERM, but serve until the replacement is there."""
        if self._is_starting:
            self._board[self.age] = _DONE
            super().handle_exit(sig, frame)
        elif self._end_by is None:
            self._end_by = monotonic() + self.cfg.timeout
            self.method_queue.defer(self._end_when_replaced)

    def notify(self) -> None:
        """Do what is due in each turn of the worker's loop."""
        super().notify()
        if self._is_starting and self._has_started():
            self._board[self.age] = _DONE
        self._end_when_replaced()

    def _has_started(self) -> bool:
        """Return whether the app's procedures are registered, or cannot be now: without a router nobody waits."""
        client = getattr(self.wsgi, "extensions", {}).get(KEY)
        return client is None or client.status.ready or client.status.attempts > 0

    def _end_when_replaced(self) -> None:
        if self._end_by is not None and (monotonic() > self._end_by or not self._board.is_replacing(self.age)):
            self.alive = False
