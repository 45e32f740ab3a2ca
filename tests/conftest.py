"""What every test shares: the watch over threads that a test leaves behind."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background jobs ignore Ctrl-C, and so would every program that tests start and then interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SETTLE = 5.0
"""Seconds a thread of a finished test has to end."""

_LASTING = ("CrochetReactor", "CrochetLogWriter", "CrochetShutdownWatchdog", "wamp-", "wampflask-", "PoolThread")
"""Threads of the one reactor of this process, and daemon threads of apps that were connected to it."""


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread running, other than the reactor's."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + SETTLE
    while left := [thread for thread in threading.enumerate() if thread not in before and not _lasts(thread)]:
        if time.monotonic() > deadline:
            pytest.fail(f"The test left threads running: {', '.join(thread.name for thread in left)}")
        left[0].join(0.05)


def _lasts(thread: threading.Thread) -> bool:
    return thread.name.startswith(_LASTING)
