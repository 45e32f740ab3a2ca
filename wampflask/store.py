"""Rows that all workers of an app share and that outlive them: claims of runs, nonces, settings. Needs SQLAlchemy.

The library has no models and no migrations. Its few tables, all named ``wampflask_…``, are made when they are first
used, in the database of ``WAMP_DATABASE``; where the app's own database is one file, that is another file beside it, so
that neither waits for the other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, inspect
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.schema import CreateIndex, CreateTable

from .reading import is_reading, writing

BUSY_TIMEOUT = 5000
"""Milliseconds that a writer waits for another one, on SQLite."""

metadata = MetaData()
"""Where the modules that keep something declare their tables."""


class Store:
    """The database of the library's own tables. For any thread, in any process, before and after a fork.

    :param url: as SQLAlchemy reads it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._engine: tuple[int, Engine] | None = None
        self._made: set[str] = set()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run the block in a transaction: committed at its end, rolled back after an error.

        On SQLite it has the write lock from its beginning, so what it reads stays true until it ends; inside
        :func:`wampflask.reading.reading` it has none.
        """
        engine = self._current()
        self._make_tables(engine)
        with engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give back the connections of this process; the next transaction opens new ones."""
        with self._lock:
            if self._engine is not None and self._engine[0] == os.getpid():
                self._engine[1].dispose()
            self._engine = None

    def _current(self) -> Engine:
        """Return this process's engine: two processes must not share a connection."""
        with self._lock:
            if self._engine is None or self._engine[0] != os.getpid():
                engine = create_engine(self._url, pool_pre_ping=not self._url.startswith("sqlite"))
                if engine.dialect.name == "sqlite":
                    event.listen(engine, "connect", _configure)
                    event.listen(engine, "begin", _begin)
                self._engine = (os.getpid(), engine)
            return self._engine[1]

    def _make_tables(self, engine: Engine) -> None:
        missing = [table for table in metadata.sorted_tables if table.name not in self._made]
        for table in missing:
            try:
                with writing(), engine.begin() as connection:
                    connection.execute(CreateTable(table, if_not_exists=True))
                    for index in table.indexes:
                        connection.execute(CreateIndex(index, if_not_exists=True))
            except (IntegrityError, ProgrammingError):
                # PostgreSQL refuses the second of two that create the same table at the same moment.
                if not inspect(engine).has_table(table.name):
                    raise
            self._made.add(table.name)


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_TIMEOUT}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if is_reading() else "BEGIN IMMEDIATE")
