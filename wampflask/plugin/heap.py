"""The router's heap: memory that is free goes back to the system, and what was loaded at the start is left alone.

*Trimming.* The C library keeps freed memory that lies between blocks in use. After readers that were far behind that is
most of what they had taken, so the C library is asked to give it back: some 10 ms for 100 MB, and only when needed.

*Freezing.* A full garbage collection goes through everything that Crossbar has loaded, some 170,000 objects, which
takes 0.1 s in which no message moves. Frozen objects are left out; what remains are the sessions.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

from txaio.tx import call_later

TRIM_AFTER = 2**24  # bytes
DELAY = 5.0  # seconds, for the rest of a crowd of readers to go, too


class Heap:
    """For one thread.

    :param trim: gives free memory back; None where the C library has no such function.
    """

    def __init__(self, trim: Callable[[int], object] | None) -> None:
        self._trim = trim
        self._freed = 0
        self._planned = False

    def freed(self, size: int) -> None:
        """Note that ``size`` bytes were freed; the memory is trimmed soon if it is enough to matter."""
        self._freed += size
        if self._trim is not None and self._freed >= TRIM_AFTER and not self._planned:
            self._planned = True
            call_later(DELAY, self._give_back)

    def _give_back(self) -> None:
        self._planned = False
        self._freed = 0
        if self._trim is not None:
            self._trim(0)


def freeze() -> None:
    """Leave what is loaded by now out of all further garbage collections."""
    gc.collect()
    gc.freeze()


def find_trim() -> Callable[[int], object] | None:
    """Return the C library's ``malloc_trim``, if it is glibc; others give memory back, or have no way to."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
