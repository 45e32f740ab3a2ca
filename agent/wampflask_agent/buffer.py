"""Reports, kept until the hub has stored them, each exactly once."""

from __future__ import annotations

import json
from collections import deque
from typing import NamedTuple

from .sampler import Values

BUFFER_BYTES = 2 * 1024 * 1024
"""Of reports kept while the hub is away: of a small machine an hour at one a second, a week at one every 3 minutes."""
BATCH_BYTES = 40_000
"""Of one upload; the router accepts messages of 64 KiB."""
BATCH_REPORTS = 100


class Entry(NamedTuple):
    """A report that the hub has not confirmed: its number, once it has been uploaded, and its JSON."""

    seq: int | None
    data: bytes


class Buffer:
    """Reports, oldest first. Each gets its number when it is first uploaded, and keeps it.

    ``dropped``: reports lost since the start, for want of room or because the hub could not store them.

    :param most: bytes of reports that wait; of more, the oldest are dropped.
    """

    def __init__(self, most: int = BUFFER_BYTES) -> None:
        self._most = most
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._flight: list[Entry] = []
        self._last = 0
        self._limit = BATCH_REPORTS
        self._doubtful: set[int] = set()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._flight)

    @property
    def full_batch(self) -> bool:
        """Whether more reports wait than fit into one batch."""
        return self._bytes > BATCH_BYTES or len(self._waiting) > BATCH_REPORTS

    def append(self, report: Values) -> None:
        """Keep a report."""
        self._add(Entry(None, json.dumps(report, separators=(",", ":")).encode("ascii")))
        self._bound()

    def batch(self) -> list[Values]:
        """Return the oldest reports, numbered, for an upload; then :meth:`confirm`, :meth:`again` or :meth:`refuse`."""
        size = 0
        while self._waiting and len(self._flight) < self._limit:
            size += len(self._waiting[0].data)
            if self._flight and size > BATCH_BYTES:
                break
            entry = self._waiting.popleft()
            self._bytes -= len(entry.data)
            self._flight.append(entry if entry.seq is not None else Entry(self._number(), entry.data))
        return [{**json.loads(entry.data), "seq": entry.seq} for entry in self._flight]

    def confirm(self, stored: int) -> None:
        """Forget what the hub has stored.

        :param stored: the highest number it has; reports under way above it are uploaded again.
        """
        self._last = max(self._last, stored)
        self._limit = BATCH_REPORTS
        self.again()
        while self._waiting and (seq := self._waiting[0].seq) is not None and seq <= stored:
            self._bytes -= len(self._waiting.popleft().data)
        saved = {seq for seq in self._doubtful if seq <= stored}
        self._doubtful -= saved
        self.dropped -= len(saved)

    def again(self) -> None:
        """Upload what was under way again, with the same numbers: it may not have arrived."""
        for entry in reversed(self._flight):
            self._waiting.appendleft(entry)
            self._bytes += len(entry.data)
        self._flight = []
        self._bound()

    def refuse(self) -> None:
        """Look, by halves, for the one report under way that the hub cannot store, and drop only that."""
        if len(self._flight) > 1:
            self._limit = len(self._flight) // 2
            self.again()
            return
        self.dropped += len(self._flight)
        self._flight = []
        self._limit = BATCH_REPORTS

    def dump(self) -> str:
        """Return everything unconfirmed, to be kept in a file over a restart."""
        self.again()
        return "".join(f"{entry.seq or 0} {entry.data.decode('ascii')}\n" for entry in self._waiting)

    def load(self, text: str) -> None:
        """Add what :meth:`dump` returned; skip damaged lines."""
        for line in text.splitlines():
            number, _, data = line.partition(" ")
            if number.isdigit() and _is_object(data):
                self._add(Entry(int(number) or None, data.encode("ascii")))
                self._last = max(self._last, int(number))
        self._bound()

    def _number(self) -> int:
        self._last += 1
        return self._last

    def _add(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self._bytes += len(entry.data)

    def _bound(self) -> None:
        while self._bytes > self._most and len(self._waiting) > 1:
            entry = self._waiting.popleft()
            self._bytes -= len(entry.data)
            self.dropped += 1
            if entry.seq is not None:  # it may have been stored, and its confirmation lost
                self._doubtful.add(entry.seq)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict) and text.isascii()
    except ValueError:
        return False
