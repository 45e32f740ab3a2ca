"""A thread that does something again and again, until this process ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from flask import Flask

from .errors import WampError

PERIOD = 1.0
"""Seconds between two turns, at most."""
GATHER = 0.05
"""Seconds in which calls of :meth:`Loop.wake` that come together make one turn."""


class Loop:
    """One for each app and purpose; it has a thread in each process that starts it. For any thread.

    :param name: of the thread, and for the log.
    :param turn: what to do, in an app context; it returns the seconds until the next turn, None for :data:`PERIOD`.
        What it raises is logged, once until a turn succeeds again.
    """

    def __init__(self, app: Flask, name: str, turn: Callable[[], float | None]) -> None:
        self._app = app
        self._name = name
        self._turn = turn
        self._process: int | None = None
        self._thread: threading.Thread
        self._wake: threading.Event
        self._is_stopping = False
        self._has_failed = False

    def start(self) -> None:
        """Begin, once in each process."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._wake = threading.Event()
            self._thread = threading.Thread(target=self._run, name=f"wampflask-{self._name}", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Begin the next turn now."""
        if self._process == os.getpid():
            self._wake.set()

    def stop(self, deadline: float) -> bool:
        """Begin no more turns; wait until ``deadline``, a monotonic time, and return whether the last has ended."""
        self._is_stopping = True
        if self._process != os.getpid():
            return True
        self._wake.set()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._is_stopping:
            pause = self._try()
            if self._wake.wait(min(PERIOD, pause)) and not self._is_stopping:
                time.sleep(GATHER)
            self._wake.clear()

    def _try(self) -> float:
        try:
            with self._app.app_context():
                pause = self._turn()
        except WampError as error:
            self._app.logger.debug("%s waits for the router: %s", self._name, error)
        except Exception:  # a boundary: the next turn tries again
            if not self._has_failed:
                self._app.logger.exception("A turn of %s failed; it is tried again each second", self._name)
            self._has_failed = True
        else:
            self._has_failed = False
            return PERIOD if pause is None else pause
        return PERIOD
