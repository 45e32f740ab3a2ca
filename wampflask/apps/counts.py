"""Where the rate limits of all workers are counted: one small SQLite file in the instance folder.

Beside the database, not in it: a request that is counted may hold the database's one write lock itself.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from urllib.parse import unquote, urlsplit

from limits.storage import MemoryStorage, Storage

log = logging.getLogger(__name__)

SCHEME = "counts"
BUSY_TIMEOUT = 2.0  # seconds

_TABLE = """
CREATE TABLE IF NOT EXISTS counts (key BLOB PRIMARY KEY, count INTEGER NOT NULL, expires REAL NOT NULL) WITHOUT ROWID
"""
_INDEX = "CREATE INDEX IF NOT EXISTS counts_expire ON counts (expires)"
_COUNT = """
INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET count = count + excluded.count RETURNING count
"""


class SharedCounts(Storage):
    """Fixed windows for Flask-Limiter, shared by every process that has the file. Safe in any thread and after a fork.

    Keys are kept as digests: they hold addresses, and what people typed for their account's name. While the file
    cannot be used, as on a full disk, each process counts for itself.
    """

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 - read by the base class's metaclass

    def __init__(self, uri: str, wrap_exceptions: bool = False, **options: float | str | bool) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        self._file = unquote(urlsplit(uri).path)

    @cached_property
    def _own(self) -> MemoryStorage:
        return MemoryStorage()

    @property
    def base_exceptions(self) -> type[Exception]:
        """The error of a file that cannot be used."""
        return sqlite3.Error

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and begin a window of ``expiry`` seconds where none is open."""
        now = time.time()
        try:
            with self._opened() as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("DELETE FROM counts WHERE expires <= ?", (now,))
                (count,) = connection.execute(_COUNT, (_digest(key), amount, now + expiry)).fetchone()
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            log.warning("Rate limits are counted by each process for itself: %s: %s", self._file, error)
            return self._own.incr(key, expiry, amount)
        return int(count)

    def get(self, key: str) -> int:
        """Return the count of the open window."""
        return self._window(key)[0]

    def get_expiry(self, key: str) -> float:
        """Return when the open window ends, in seconds since the epoch; now, where none is open."""
        return self._window(key)[1]

    def check(self) -> bool:
        """Return whether the file can be used."""
        try:
            with self._opened():
                return True
        except sqlite3.Error:
            return False

    def reset(self) -> int:
        """Delete all counts; return how many there were."""
        return self._delete("DELETE FROM counts")

    def clear(self, key: str) -> None:
        """Delete one count."""
        self._delete("DELETE FROM counts WHERE key = ?", _digest(key))
        self._own.clear(key)

    def _window(self, key: str) -> tuple[int, float]:
        now = time.time()
        try:
            with self._opened() as connection:
                query = "SELECT count, expires FROM counts WHERE key = ? AND expires > ?"
                found: tuple[int, float] | None = connection.execute(query, (_digest(key), now)).fetchone()
        except sqlite3.Error:
            found = None
        return found or (self._own.get(key), max(now, self._own.get_expiry(key)))

    def _delete(self, statement: str, *values: bytes) -> int:
        try:
            with self._opened() as connection:
                return connection.execute(statement, values).rowcount
        except sqlite3.Error:
            return 0

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one step: that takes a fraction of a millisecond, and leaves none to a fork."""
        with closing(sqlite3.connect(self._file, timeout=BUSY_TIMEOUT, isolation_level=None)) as connection:
            connection.execute(_TABLE)
            connection.execute(_INDEX)
            yield connection


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
