"""What every test shares: the watch over threads that a test leaves behind, and which tests are slow."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import databases

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background jobs ignore Ctrl-C, and so would every program that tests start and then interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SETTLE = 5.0
"""Seconds a thread of a finished test has to end."""

_LASTING = ("CrochetReactor", "CrochetLogWriter", "CrochetShutdownWatchdog", "wamp-", "wampflask-", "PoolThread")
"""Threads of the one reactor of this process, and daemon threads of apps that were connected to it."""

_HERE = Path(__file__).parent
_SLOW = (
    *("reliability", "core/reliability", "run", "deploy", "browser", "core/live", "agent"),
    *("core/processes", "core/tasks", "core/bridge"),
)
"""Folders whose tests start programs, kill them, or drive a browser. The longest tests are in the first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow ones, and begin with them: then no process waits at the end for another's last file."""
    for item in items:
        if _folder_of(item) < len(_SLOW):
            item.add_marker("slow")
    items.sort(key=_folder_of)


def _folder_of(item: pytest.Item) -> int:
    """Its place in ``_SLOW``, or one behind the last."""
    path = item.path
    return next((n for n, folder in enumerate(_SLOW) if path.is_relative_to(_HERE / folder)), len(_SLOW))


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


@pytest.fixture(autouse=True)
def no_database_left() -> Iterator[None]:
    """Drop what a test has made on a database server; what modules share was made before."""
    before = len(databases.made)
    yield
    databases.drop(before)


def _lasts(thread: threading.Thread) -> bool:
    return thread.name.startswith(_LASTING)
