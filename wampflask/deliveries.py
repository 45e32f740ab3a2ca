"""Deliveries: the events that wait for their callbacks, in rows; posted in order, at least once, and tried again.

A callback's deliveries are posted by the worker that has leased it; when that one ends, another goes on after
:data:`LEASE` seconds.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

from flask import Flask
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from . import _reactor
from ._pool import Pool
from .outgoing import Forbidden, Unreachable
from .store import Store, metadata

KEPT = 86_400.0
"""Seconds for which a delivery is tried."""
FIRST_DELAY, DELAY_MAX = 1.0, 300.0
"""Seconds between two tries: each is twice the one before, up to the second."""
LAST = 3.0
"""Seconds, at most, that an ending worker waits for the end of its session."""
LEASE = 30.0
"""Seconds for which one worker has a callback's deliveries; longer than one try may take."""
POLL, LOOK = 1.0, 30.0
"""Seconds in which a worker looks for deliveries that nobody has, and for callbacks that were made elsewhere."""
THREADS = 4
BATCH = 100
"""Deliveries of one callback after which the others have their turn."""

CALLBACKS = Table(
    "wampflask_callback",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", String(64), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("uri", String(255), nullable=False),
    Column("match", String(16), nullable=False),
    Column("url", String(2000), nullable=False),
    Column("registered", String(255), unique=True),
    Column("made", Float, nullable=False),
    Column("failures", Integer, nullable=False, default=0),
    Column("due", Float, nullable=False, default=0.0),
    Column("dropped", Integer, nullable=False, default=0),
    Column("note", Text, nullable=False, default=""),
    Column("noted", Float),
    Column("holder", String(32)),
    Column("leased", Float, nullable=False, default=0.0),
)
DELIVERIES = Table(
    "wampflask_delivery",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("callback", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("made", Float, nullable=False),
)
Index("wampflask_delivery_in_order", DELIVERIES.c.callback, DELIVERIES.c.number)

Post = Callable[[Row[Any], str, int], tuple[int, bytes]]


class Deliverer:
    """Posts what waits, in one worker: a thread that looks for it, and some that post. Daemons all.

    :param post: posts a body, with a number of its own, to a callback; returns status and answer.
    :param refresh: looks for callbacks that other workers made, in an app context.
    :param is_over: whether this worker is ending.
    :param has_left: whether its session has ended, so that no more events come.
    """

    def __init__(
        self,
        app: Flask,
        store: Store,
        post: Post,
        refresh: Callable[[], None],
        *,
        is_over: Callable[[], bool],
        has_left: Callable[[], bool],
    ) -> None:
        self._app = ref(app)
        self._store = store
        self._post_to = post
        self._refresh = refresh
        self._is_over = is_over
        self._has_left = has_left
        self._stopping = threading.Lock()
        self._name = secrets.token_hex(16)
        self._keeping = Pool(1, 10_000, "wampflask-callbacks-keep")
        self._posting = Pool(THREADS, 0, "wampflask-callbacks-post")
        self._due = threading.Event()
        self._looked = time.monotonic()
        self._must_look = False
        self.has_stopped = False
        threading.Thread(target=self._run, name="wampflask-callbacks", daemon=True).start()
        _reactor.on_stop(self.stop)

    def keep(self, task: Callable[[], None]) -> None:
        """Run ``task`` after those that came before, and look for deliveries then.

        :raises QueueFull: too many wait.
        """

        def run() -> None:
            task()
            self._due.set()

        self._keeping.submit(run)

    def look(self) -> None:
        """Look for callbacks that other workers made."""
        self._must_look = True
        self._due.set()

    def stop(self) -> None:
        """Post no more, let another worker have what is leased, and keep what comes until the session has ended."""
        with self._stopping:
            if self.has_stopped:
                return
            self.has_stopped = True
            self._due.set()
            self._posting.drain(1)
            self._posting.close()
            with contextlib.suppress(SQLAlchemyError), self._store.transaction() as connection:
                connection.execute(update(CALLBACKS).where(CALLBACKS.c.holder == self._name).values(leased=0.0))
            end = time.monotonic() + LAST
            while not self._has_left() and time.monotonic() < end:
                time.sleep(0.02)
            self._keeping.drain(1)
            self._keeping.close()

    def _run(self) -> None:
        while not self.has_stopped:
            app = self._app()
            if app is None or self._is_over():
                self.stop()
                return
            try:
                self._turn(app)
            except Exception:  # a boundary: the next turn may do better, and without this thread nothing is delivered
                app.logger.exception("Callbacks could not be served")
            del app
            self._due.wait(POLL)
            self._due.clear()

    def _turn(self, app: Flask) -> None:
        if self._must_look or time.monotonic() - self._looked > LOOK:
            self._must_look, self._looked = False, time.monotonic()
            with app.app_context():
                self._refresh()
        for number in self._lease(THREADS - self._posting.running - self._posting.waiting):
            self._posting.submit(partial(self._deliver, number))

    def _lease(self, most: int) -> list[str]:
        now = time.time()
        waits = select(DELIVERIES.c.number).where(DELIVERIES.c.callback == CALLBACKS.c.id).exists()
        free = (CALLBACKS.c.due <= now) & (CALLBACKS.c.leased < now) & waits
        with self._store.transaction() as connection:
            query = select(CALLBACKS.c.id).where(free).order_by(CALLBACKS.c.due).limit(max(0, most))
            found = list(connection.scalars(query.with_for_update(skip_locked=True)))
            for number in found:
                self._hold(connection, number)
        return found

    def _hold(self, connection: Connection, number: str, **values: Any) -> bool:
        mine = (CALLBACKS.c.id == number) & ((CALLBACKS.c.holder == self._name) | (CALLBACKS.c.leased < time.time()))
        given = {"holder": self._name, "leased": time.time() + LEASE, **values}
        return bool(connection.execute(update(CALLBACKS).where(mine).values(**given)).rowcount)

    def _deliver(self, number: str) -> None:
        try:
            for _ in range(BATCH):
                if self.has_stopped or not self._deliver_next(number):
                    break
        except Exception:  # a boundary, as above
            app = self._app()
            if app is not None:
                app.logger.exception("A callback could not be served")
        with contextlib.suppress(SQLAlchemyError), self._store.transaction() as connection:
            self._hold(connection, number, leased=0.0)
        self._due.set()

    def _deliver_next(self, number: str) -> bool:
        """Post the oldest delivery; return whether the next one can follow."""
        first = select(DELIVERIES).where(DELIVERIES.c.callback == number).order_by(DELIVERIES.c.number).limit(1)
        with self._store.transaction() as connection:
            row = connection.execute(select(CALLBACKS).where(CALLBACKS.c.id == number)).one_or_none()
            waiting = connection.execute(first).one_or_none()
            if row is None or waiting is None or not self._hold(connection, number):
                return False
        why = self._post(row, waiting)
        with self._store.transaction() as connection:
            if not why or time.time() - waiting.made > KEPT:
                connection.execute(delete(DELIVERIES).where(DELIVERIES.c.number == waiting.number))
            if not why:
                return self._hold(connection, number, failures=0, due=0.0, note="", noted=None)
            if time.time() - waiting.made > KEPT:
                count_dropped(connection, number, f"given up after {KEPT / 3600:g} hours: {why}")
                return self._hold(connection, number)
            pause = min(DELAY_MAX, FIRST_DELAY * 2 ** min(row.failures, 20))
            due = time.time() + pause
            self._hold(connection, number, failures=row.failures + 1, due=due, note=why, noted=time.time())
        return False

    def _post(self, row: Row[Any], waiting: Row[Any]) -> str:
        """Return why a delivery did not arrive; "" if it did."""
        try:
            status, _ = self._post_to(row, waiting.body, waiting.number)
        except (Forbidden, Unreachable) as error:
            return str(error)
        return "" if 200 <= status <= 299 else f"answered {status}"  # noqa: PLR2004 - HTTP's own numbers


def count_dropped(connection: Connection, number: str, why: str) -> None:
    """Count a delivery that nobody gets, and say why."""
    lost = {"dropped": CALLBACKS.c.dropped + 1, "note": why, "noted": time.time()}
    connection.execute(update(CALLBACKS).where(CALLBACKS.c.id == number).values(**lost))
