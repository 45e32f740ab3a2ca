"""The database: one declarative base, and SQLite set up so that several workers can share a file.

Without these settings workers lose updates or fail with "database is locked": WAL lets pages read while a vote is
written, ``busy_timeout`` makes writers queue, and ``BEGIN IMMEDIATE`` takes the write lock before the first read.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask, g, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, DateTime, Dialect, Engine, Enum, MetaData, TypeDecorator, event
from sqlalchemy.orm import DeclarativeBase

from wampflask.reading import is_reading, reading

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT = 5000  # milliseconds that a writer waits for another

_POLL = 0.0005  # seconds
_TURN = "wampflask.turn"
_PRIMARY_CODE = 0xFF  # of SQLite's error codes; the rest says more
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_TIMEOUT}", "foreign_keys=ON")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Base(DeclarativeBase):
    """The base class of every model. Constraints have names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UTCDateTime(TypeDecorator[datetime]):
    """A moment with its time zone, stored as UTC, also in databases without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Convert a value for the database."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Convert a value from the database."""
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


def text_enum(kind: type[StrEnum]) -> Enum:
    """Return a column's type: an enumeration stored as checked text, the same on every database."""
    return Enum(
        kind,
        name=kind.__name__.lower(),
        native_enum=False,
        create_constraint=True,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def init_app(app: Flask, db: SQLAlchemy) -> None:
    """Bind ``db`` to the app and set its engines up."""
    db.init_app(app)
    app.before_request(_begin_reading)
    app.teardown_request(_end_reading)
    with app.app_context():
        for engine in db.engines.values():
            if engine.dialect.name == "sqlite":
                event.listen(engine, "connect", _configure)
                _after_fork(_Writers(engine), _Writers.forget)
            _after_fork(engine, _forget_connections)


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, below
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


class _Writers:
    """Lets the threads of one process write in turn.

    SQLite alone makes writers poll, with growing pauses: under load some then wait for seconds while others pass. Here
    threads wait for a lock, and only the one whose turn it is polls, shortly, for the other processes.
    """

    def __init__(self, engine: Engine) -> None:
        self._lock = threading.Lock()
        event.listen(engine, "begin", self.begin)
        event.listen(engine, "commit", self.end)
        event.listen(engine, "rollback", self.end)
        event.listen(engine, "checkin", self.given_back)
        event.listen(engine, "invalidate", self.given_back)

    def begin(self, connection: Connection) -> None:
        """Begin the transaction: with the write lock, unless the code only reads."""
        cursor = connection.connection.cursor()
        try:
            if is_reading():
                cursor.execute("BEGIN")
            else:
                self._begin_writing(connection, cursor)
        finally:
            cursor.close()

    def _begin_writing(self, connection: Connection, cursor: Any) -> None:
        deadline = time.monotonic() + BUSY_TIMEOUT / 1000
        connection.info[_TURN] = self._lock.acquire(timeout=BUSY_TIMEOUT / 1000)
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            while not _try_to_begin(cursor, last=time.monotonic() > deadline):
                time.sleep(_POLL)
        except BaseException:
            self.end(connection)
            raise
        finally:
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")

    def end(self, connection: Connection) -> None:
        """Let the next one write."""
        if not connection.invalidated:
            self._give(connection.info)

    def given_back(self, _connection: Any, record: Any, *_error: Any) -> None:
        """Let the next one write when a connection was lost."""
        self._give(record.info)

    def forget(self) -> None:
        """Begin anew in the child of a fork."""
        self._lock = threading.Lock()

    def _give(self, info: dict[Any, Any]) -> None:
        if info.pop(_TURN, False):
            self._lock.release()


def _try_to_begin(cursor: Any, *, last: bool) -> bool:
    """Return whether it is this process's turn.

    :raises sqlite3.OperationalError: it took too long.
    """
    try:
        cursor.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if last or error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _begin_reading() -> None:
    """Treat a request with a safe method as one that only reads: it never waits for a writer."""
    if request.method in _SAFE_METHODS:
        g.reading = ExitStack()
        g.reading.enter_context(reading())


def _end_reading(_error: BaseException | None) -> None:
    if (stack := g.pop("reading", None)) is not None:
        stack.close()


def _forget_connections(engine: Engine) -> None:
    """Forget the parent's connections after a fork: two processes must not use the same one."""
    engine.dispose(close=False)


def _after_fork(thing: T, action: Callable[[T], None]) -> None:
    """Do something with ``thing`` in the child of every fork, as long as there is one."""
    kept = weakref.ref(thing)

    def act() -> None:
        if (ours := kept()) is not None:
            action(ours)

    os.register_at_fork(after_in_child=act)
