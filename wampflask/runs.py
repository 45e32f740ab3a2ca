"""Who runs which job when: claims and results, in the database that all workers share.

A run is claimed before it begins, by a row with the job's name and the due moment, which there can be once. Each job
has a row with the last moment that somebody has dealt with; it is locked while one claims, so that of all processes one
decides about a moment, and nobody goes back behind it. The time is the database's where that is a server, so clocks of
machines may differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from .store import Store, metadata
from .triggers import SECOND, Once, Trigger, as_datetime, latest

Outcome = Literal["running", "done", "failed", "lost", "skipped", "missed"]
"""``lost``: its process ended before it. ``skipped``: the run before was still running. ``missed``: nobody was there in
time."""

LEASE = 15 * SECOND
"""How long after its last sign of life a run counts as running, in milliseconds."""
RENEW = 3.0
"""Seconds between two signs of life."""
AHEAD = 300 * SECOND
"""What was decided about moments that lie further ahead does not count: a clock was wrong, and is set right."""
KEPT = 100
"""Runs of each job that are kept."""
FORGOTTEN = 400 * 24 * 3600 * SECOND
"""How long a job is kept that the leader does not declare: longer than one that is due each year has to wait."""
NAME_MAX = 200

_JOBS = Table(
    "wampflask_job",
    metadata,
    Column("name", String(NAME_MAX), primary_key=True),
    Column("considered", BigInteger, nullable=False),
)
_RUNS = Table(
    "wampflask_run",
    metadata,
    Column("job", String(NAME_MAX), primary_key=True),
    Column("due", BigInteger, primary_key=True, autoincrement=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("lease", BigInteger, nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("place", String(NAME_MAX), nullable=False),
    Column("error", String(16), nullable=False),
    Column("passed", Integer, nullable=False),
)
_KEY = tuple_(_RUNS.c.job, _RUNS.c.due)
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}  # they know "or do nothing"


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a job, or why there was none. Its times are in UTC.

    :ivar due: when it had to begin; of a run by hand, when it did.
    :ivar started: when that was decided, so for a run its beginning.
    :ivar ended: None while it runs.
    :ivar place: ``host:pid`` of the process.
    :ivar error: the id of its error in the log.
    :ivar passed: due moments before it that nobody was there for.
    """

    job: str
    due: datetime
    started: datetime
    ended: datetime | None
    outcome: Outcome
    place: str
    error: str = ""
    passed: int = 0


Key = tuple[str, int]
"""A job's name and the due moment."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What became of an attempt to claim.

    :ivar considered: the last moment that somebody has dealt with.
    :ivar run: what this process has decided, if it has; to be run when its outcome is ``running``.
    :ivar lost: runs that turned out to have ended with their processes: the places.
    """

    considered: int
    run: Run | None = None
    key: Key | None = None
    lost: tuple[str, ...] = ()


class Runs:
    """The two tables. Any thread, any process. What the database says against it is raised as SQLAlchemy does.

    :param place: of this process.
    :param clock: seconds since the epoch, where the database is a file.
    """

    def __init__(self, store: Store, place: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._place = place
        self._clock = clock
        self._ahead = 0

    def now(self) -> int:
        """Return the time, by the database's clock as far as it is known."""
        return self._own_time() + self._ahead

    def begin(self, jobs: Collection[tuple[str, Trigger]]) -> dict[str, int]:
        """Return the last moment of each job that somebody has dealt with. One that is new begins now."""
        with self._store.transaction() as connection:
            now = self._time(connection)
            for name, trigger in jobs:
                self._add(connection, name, 0 if isinstance(trigger, Once) else now)
            names = [name for name, _ in jobs]
            mistaken = (_JOBS.c.name.in_(names), _JOBS.c.considered > now + AHEAD)
            connection.execute(update(_JOBS).where(*mistaken).values(considered=now))
            return self._considered(connection, names)

    def look(self, names: Collection[str]) -> dict[str, int]:
        """Return the last moment of each job that somebody has dealt with; nothing for jobs that never began."""
        with self._store.transaction() as connection:
            self._time(connection)
            return self._considered(connection, names)

    def claim(self, name: str, trigger: Trigger, *, overlap: bool, grace: int, after: int = 0) -> Claim:
        """Decide about the last due moment of a job, unless another process has done so.

        :param grace: milliseconds that it may be late.
        :param after: leave alone what is due for less than that many milliseconds.
        """
        with self._store.transaction() as connection:
            now = self._time(connection)
            considered = self._lock(connection, name, now)
            found = latest(trigger, considered, now - after)
            if found is None:
                return Claim(considered)
            due, passed = found
            is_running, lost = self._unfinished(connection, name, now)
            outcome: Outcome = "running"
            if now - due > grace:
                outcome = "missed"
            elif is_running and not overlap:
                outcome = "skipped"
            connection.execute(update(_JOBS).where(_JOBS.c.name == name).values(considered=due))
            run = self._insert(connection, (name, due), now, outcome, passed)
            return Claim(due, run, (name, due), lost)

    def claim_now(self, name: str, *, overlap: bool) -> Claim:
        """Claim a run by hand; the claim has none when one runs already."""
        with self._store.transaction() as connection:
            now = self._time(connection)
            self._lock(connection, name, now)
            is_running, lost = self._unfinished(connection, name, now)
            if is_running and not overlap:
                return Claim(now, lost=lost)
            return Claim(now, self._insert(connection, (name, now), now, "running", 0), (name, now), lost)

    def _lock(self, connection: Connection, name: str, now: int) -> int:
        """Have this transaction alone decide about a job; the last moment that somebody has dealt with."""
        query = select(_JOBS.c.considered).where(_JOBS.c.name == name).with_for_update()
        considered = connection.scalar(query)
        if considered is None:
            self._add(connection, name, now)
            considered = connection.execute(query).scalar_one()
        return int(considered)

    def _add(self, connection: Connection, name: str, considered: int) -> None:
        values = {"name": name, "considered": considered}
        connection.execute(_insert(connection, _JOBS).values(values).on_conflict_do_nothing())

    def _insert(self, connection: Connection, key: Key, now: int, outcome: Outcome, passed: int) -> Run | None:
        is_over = outcome != "running"
        values = {
            "job": key[0],
            "due": key[1],
            "started": now,
            "ended": now if is_over else None,
            "lease": now + LEASE,
            "outcome": outcome,
            "place": self._place,
            "error": "",
            "passed": passed,
        }
        statement = _insert(connection, _RUNS).values(values).on_conflict_do_nothing().returning(_RUNS)
        row = connection.execute(statement).one_or_none()
        return None if row is None else _run(row)

    def _unfinished(self, connection: Connection, name: str, now: int) -> tuple[bool, tuple[str, ...]]:
        """Return whether a run goes on, and the places of those that turn out to have ended with their process."""
        query = select(_RUNS.c.due, _RUNS.c.lease, _RUNS.c.place)
        rows = connection.execute(query.where(_RUNS.c.job == name, _RUNS.c.outcome == "running")).all()
        lost = [row for row in rows if row.lease < now]
        for row in lost:
            here = (_RUNS.c.job == name, _RUNS.c.due == row.due)
            connection.execute(update(_RUNS).where(*here).values(outcome="lost", ended=row.lease))
        return len(lost) < len(rows), tuple(row.place for row in lost)

    def renew(self, keys: Iterable[Key]) -> None:
        """Give a sign of life of runs."""
        with self._store.transaction() as connection:
            lease = self._time(connection) + LEASE
            connection.execute(update(_RUNS).where(_KEY.in_(list(keys))).values(lease=lease))

    def finish(self, ended: Iterable[tuple[Key, int, Outcome, str]]) -> None:
        """Store how runs ended: their keys, when, the outcomes, and ids of errors."""
        with self._store.transaction() as connection:
            for (job, due), moment, outcome, error in ended:
                here = (_RUNS.c.job == job, _RUNS.c.due == due)
                connection.execute(update(_RUNS).where(*here).values(ended=moment, outcome=outcome, error=error))

    def newest(self, names: Collection[str]) -> dict[str, Run]:
        """Return the newest run of each job that has any."""
        last = select(_RUNS.c.job, func.max(_RUNS.c.due)).where(_RUNS.c.job.in_(names)).group_by(_RUNS.c.job)
        with self._store.transaction() as connection:
            now = self._time(connection)
            rows = connection.execute(select(_RUNS).where(_KEY.in_(last))).all()
        return {row.job: _seen(_run(row), row.lease, now) for row in rows}

    def of(self, name: str) -> list[Run]:
        """Return the runs of a job that are kept, newest first."""
        with self._store.transaction() as connection:
            now = self._time(connection)
            rows = connection.execute(select(_RUNS).where(_RUNS.c.job == name).order_by(_RUNS.c.due.desc())).all()
        return [_seen(_run(row), row.lease, now) for row in rows]

    def prune(self, declared: Collection[str]) -> None:
        """Delete what is older than the last :data:`KEPT` runs of a job, and jobs that nobody declares any more."""
        with self._store.transaction() as connection:
            now = self._time(connection)
            undeclared = (_JOBS.c.name.not_in(declared), _JOBS.c.considered < now - FORGOTTEN)
            for name in connection.scalars(select(_JOBS.c.name).where(*undeclared)).all():
                connection.execute(delete(_RUNS).where(_RUNS.c.job == name))
                connection.execute(delete(_JOBS).where(_JOBS.c.name == name))
            for name in declared:
                query = select(_RUNS.c.due).where(_RUNS.c.job == name).order_by(_RUNS.c.due.desc())
                oldest = connection.scalar(query.offset(KEPT - 1).limit(1))
                if oldest is not None:
                    old = (_RUNS.c.job == name, _RUNS.c.due < oldest, _RUNS.c.outcome != "running")
                    connection.execute(delete(_RUNS).where(*old))

    def _considered(self, connection: Connection, names: Collection[str]) -> dict[str, int]:
        rows = connection.execute(select(_JOBS.c.name, _JOBS.c.considered).where(_JOBS.c.name.in_(names)))
        return {row.name: row.considered for row in rows}

    def _own_time(self) -> int:
        return round(self._clock() * SECOND)

    def _time(self, connection: Connection) -> int:
        """Return the time; a server's where the database is one."""
        if connection.dialect.name == "postgresql":
            epoch = connection.scalar(select(func.extract("epoch", func.clock_timestamp())))
            self._ahead = round(float(epoch or 0) * SECOND) - self._own_time()
        return self.now()


def _insert(connection: Connection, table: Table) -> Any:
    return _INSERT[connection.dialect.name](table)


def _run(row: Any) -> Run:
    return Run(
        job=row.job,
        due=as_datetime(row.due),
        started=as_datetime(row.started),
        ended=None if row.ended is None else as_datetime(row.ended),
        outcome=row.outcome,
        place=row.place,
        error=row.error,
        passed=row.passed,
    )


def _seen(run: Run, lease: int, now: int) -> Run:
    """Return a run as it is now: one that runs no longer, as nobody has written down yet, is lost."""
    is_lost = run.outcome == "running" and lease < now
    return replace(run, outcome="lost", ended=as_datetime(lease)) if is_lost else run
