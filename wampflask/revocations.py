"""Whose tickets are refused: two files of the instance folder, written here and read by the router."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from .files import locked, private, replace
from .plugin import blocks, revocations
from .plugin.blocks import Block

REVOKED_FILE = "revoked"
BLOCKED_FILE = "blocked"

_COMPACT_SIZE = 65536  # bytes of a file after which old lines are dropped


def revoke(file: Path, authid: str, *, lifetime: float, now: float | None = None) -> None:
    """Refuse every ticket that ``authid`` was given up to now. Safe in any thread and process.

    The router reads the file before each join. Sessions that have joined stay until they are killed
    (``wamp.revoke`` does both).

    :param file: ``<instance>/revoked``.
    :param lifetime: of tickets, seconds; older lines are dropped.
    """
    moment = time.time() if now is None else now
    since = moment - lifetime - 3600

    def recent(text: str) -> list[str]:
        return [revocations.line(who, when) for who, when in revocations.parse(text).items() if when >= since]

    _append(file, revocations.line(authid, moment), recent)


def block(file: Path, authid: str, block: Block, *, now: float | None = None) -> None:
    """Refuse every ticket of ``authid`` while ``block`` holds. Safe in any thread and process.

    The router reads the file before each join, ``/wamp/ticket`` before each ticket. Sessions that have joined stay
    until they are killed (``wamp.block`` does both).

    :param file: ``<instance>/blocked``.
    """
    moment = time.time() if now is None else now

    def holding(text: str) -> list[str]:
        return [blocks.line(who, found) for who, found in blocks.parse(text).items() if found.holds(moment)]

    _append(file, blocks.line(authid, block), holding)


def _append(file: Path, line: str, keep: Callable[[str], Iterable[str]]) -> None:
    """Add a line; when the file has grown large, have ``keep`` say which lines still matter.

    Then it is replaced as a whole, so that its reader never sees half of it.
    """
    with locked(file), open(file, "a", encoding="utf-8", opener=private) as handle:
        handle.write(line)
        handle.flush()
        os.fsync(handle.fileno())
        if handle.tell() <= _COMPACT_SIZE:
            return
        replace(file, "".join(keep(file.read_text(encoding="utf-8"))))
