"""The processes that use most of a machine."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import Any

import psutil

from .sampler import Values, ratio
from .text import clean

MAX_PROCESSES = 100


class Processes:
    """The processes that use most. Blocks: not for the event loop; one call at a time."""

    FRESH = 10.0
    """Seconds for which CPU times are good to compare with; older ones are measured again, with a pause between."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, float], float] = {}
        self._then = -math.inf

    def top(self, limit: int) -> Values:
        """Return the first ``limit`` by CPU and by memory. Takes half a second the first time."""
        if time.monotonic() - self._then > self.FRESH:
            self._measure()
            time.sleep(0.5)
        before, then = self._before, self._then
        found = self._measure()
        elapsed = max(self._then - then, 0.001)
        total = psutil.virtual_memory().total
        rows = [
            (max(cpu - before.get(key, cpu), 0.0) / elapsed, memory, process)
            for key, (cpu, memory, process) in found.items()
        ]
        by_cpu = sorted(rows, key=lambda row: row[:2], reverse=True)[:limit]
        by_memory = sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)[:limit]
        return {
            "time": round(time.time(), 3),
            "count": len(found),
            "by_cpu": [row for row in (_process(*each, total) for each in by_cpu) if row],
            "by_memory": [row for row in (_process(*each, total) for each in by_memory) if row],
        }

    def _measure(self) -> dict[tuple[int, float], tuple[float, int, Any]]:
        self._then = time.monotonic()
        found = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError), process.oneshot():
                times = process.cpu_times()
                key = (process.pid, process.create_time())
                found[key] = (times.user + times.system, process.memory_info().rss, process)
        self._before = {key: row[0] for key, row in found.items()}
        return found


def _process(cpu: float, memory: int, process: Any, total: int) -> Values | None:
    """Return one row of the list, None when the process has ended."""
    with suppress(psutil.Error, OSError):
        user = "?"
        with suppress(psutil.Error, OSError, KeyError):
            user = process.username()
        return {
            "pid": process.pid,
            "name": clean(process.name()),
            "user": clean(user),
            "cpu": round(cpu, 3),
            "memory": memory,
            "ratio": ratio(memory, total),
            "started": round(process.create_time(), 1),
        }
    return None
