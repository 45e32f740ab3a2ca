"""History in the database: raw for an hour, then means over 1 minute, 10 minutes and 2 hours with minimum and maximum.

Each sample is stored once or not at all, however often it is uploaded, and to whatever worker.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from wampflask.apps.errors import NotFound
from wampflask.apps.monitor.metrics import series_of
from wampflask.apps.monitor.models import Host

from .models import Reading, Rollup
from .samples import EARLIEST, Values, newest

RAW_KEPT = 3600
KEPT = {60: 25 * 3600, 600: 8 * 86_400, 7200: 31 * 86_400}
"""Seconds that rollups are kept, by their span."""
RANGES = {"1h": (3600, 0), "24h": (86_400, 60), "7d": (7 * 86_400, 600), "30d": (30 * 86_400, 7200)}
"""For charts: seconds shown, and the span of the rollups (0: raw)."""
POINTS = 720
"""Points of a chart of raw readings, at most."""
FUTURE = 60.0
"""Seconds that an agent's clock may be off; the times of one that is further off are corrected."""

KEYS_AT_ONCE = 200
"""Keys in one query: databases limit its parameters."""

Bucket = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Upload:
    """Samples of one host, as checked by ``samples.checked_batch``.

    :param clock: the agent's time of sending, by which the times of a wrong clock are corrected.
    """

    host: str
    samples: Sequence[Values]
    clock: float | None = None
    dropped: int = 0


def append(session: Session, uploads: Sequence[Upload]) -> list[int | Exception]:
    """Store what is new in uploads of several hosts, in one transaction.

    :returns: for each upload the highest ``seq`` stored, or why it could not be stored, such as :class:`NotFound`.
    """
    names = {one.host for one in uploads}
    query = select(Host.id, Host.host, Host.stored_seq, Host.last_seen, Host.dropped).where(Host.host.in_(names))
    known = {row.host: _Mark(row.id, row.stored_seq, row.last_seen, row.dropped) for row in _locked(session, query)}
    batch = _Batch(time.time())
    outcomes: list[int | Exception] = []
    for one in uploads:
        mark = known.get(one.host)
        try:
            outcomes.append(batch.take(mark, one) if mark else NotFound("This host was removed."))
        except Exception as error:  # a boundary: one host's samples must not stop another's
            outcomes.append(error)
    batch.write(session)
    return outcomes


def _locked(session: Session, query: Any) -> Any:
    """Lock the hosts in the order of their ids, so that two transactions cannot wait for each other."""
    return session.execute(query.order_by(Host.id).with_for_update())


@dataclass(slots=True)
class _Mark:
    id: int
    stored: int
    seen: datetime | None
    dropped: int


class _Batch:
    """What one transaction writes."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._readings: dict[tuple[int, int], dict[str, float]] = {}
        self._buckets: dict[tuple[int, int, int], Bucket] = defaultdict(dict)
        self._hosts: dict[int, dict[str, Any]] = {}

    def take(self, mark: _Mark, upload: Upload) -> int:
        """Collect what is to be written. What may fail comes first: an upload is stored whole or not at all."""
        fresh = self._fresh(mark, upload)
        latest = newest(sample for sample, _ in fresh) if fresh else {}
        moment = datetime.fromtimestamp(latest["time"], UTC) if fresh else None
        for sample, series in fresh:
            self._keep(mark.id, sample["time"], series)
        changes = self._hosts.setdefault(mark.id, {})
        if moment:
            mark.stored = changes["stored_seq"] = fresh[-1][0]["seq"]
            if mark.seen is None or moment >= mark.seen:
                mark.seen = changes["last_seen"] = moment
                changes["latest"] = {name: value for name, value in latest.items() if name != "seq"}
        if upload.dropped != mark.dropped:
            changes["dropped"] = mark.dropped = upload.dropped
        return mark.stored

    def _fresh(self, mark: _Mark, upload: Upload) -> list[tuple[Values, dict[str, float]]]:
        """Return the samples that are not stored yet, with corrected times, and their numbers by metric."""
        clock = upload.clock
        offset = self._now - clock if clock is not None and abs(self._now - clock) > FUTURE else 0.0
        fresh = (sample for sample in upload.samples if sample["seq"] > mark.stored)
        right = ({**sample, "time": min(max(sample["time"] + offset, EARLIEST), self._now)} for sample in fresh)
        return [(sample, series_of(sample)) for sample in right]

    def _keep(self, host_id: int, moment: float, series: dict[str, float]) -> None:
        if moment > self._now - RAW_KEPT:
            at = round(moment * 1000)
            while (host_id, at) in self._readings:  # a corrected clock may give the same moment twice
                at += 1
            self._readings[host_id, at] = series
        for span, kept in KEPT.items():
            if moment > self._now - kept:
                start = int(moment // span) * span
                _merge(self._buckets[host_id, span, start], {name: [1, v, v, v] for name, v in series.items()})

    def write(self, session: Session) -> None:
        rows = [{"host_id": host_id, "at": at, "data": data} for (host_id, at), data in self._readings.items()]
        _upsert(session, Reading, rows, ("host_id", "at"))
        self._add_known(session)
        rows = [
            {"host_id": host_id, "span": span, "start": start, "data": data}
            for (host_id, span, start), data in self._buckets.items()
        ]
        _upsert(session, Rollup, rows, ("host_id", "span", "start"))
        for host_id, changes in self._hosts.items():
            if changes:
                session.execute(
                    update(Host).where(Host.id == host_id).values(changes).execution_options(synchronize_session=False)
                )

    def _add_known(self, session: Session) -> None:
        keys = list(self._buckets)
        for first in range(0, len(keys), KEYS_AT_ONCE):
            key = tuple_(Rollup.host_id, Rollup.span, Rollup.start)
            query = select(Rollup.host_id, Rollup.span, Rollup.start, Rollup.data)
            for host_id, span, start, data in session.execute(query.where(key.in_(keys[first : first + KEYS_AT_ONCE]))):
                _merge(self._buckets[host_id, span, start], data)


def _merge(into: Bucket, more: Bucket) -> None:
    for name, (count, total, least, most) in more.items():
        if name in into:
            mine = into[name]
            into[name] = [mine[0] + count, mine[1] + total, min(mine[2], least), max(mine[3], most)]
        else:
            into[name] = [count, total, least, most]


def _upsert(session: Session, model: Any, rows: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    if not rows:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement: Any = dialect.insert(model)
    session.execute(statement.on_conflict_do_update(index_elements=key, set_={"data": statement.excluded.data}), rows)


def thin(session: Session, host_ids: Iterable[int]) -> None:
    """Delete what is too old, of some hosts: for each a short range of the table's key."""
    now = time.time()
    for host_id in host_ids:
        session.execute(delete(Reading).where(Reading.host_id == host_id, Reading.at < (now - RAW_KEPT) * 1000))
        for span, kept in KEPT.items():
            old = (Rollup.host_id == host_id, Rollup.span == span, Rollup.start < now - kept)
            session.execute(delete(Rollup).where(*old))


# -- for charts


def chart(session: Session, host: Host, wanted: str) -> dict[str, Any]:
    """Return ``{"range", "span", "times": [s …], "series": {name: {"mean": […], "min": […], "max": […]}}}``.

    :param wanted: a key of ``RANGES``.
    """
    seconds, span = RANGES[wanted]
    since = time.time() - seconds
    if span:
        rows: list[tuple[float, Bucket]] = [
            (start, data)
            for start, data in session.execute(
                select(Rollup.start, Rollup.data)
                .where(Rollup.host_id == host.id, Rollup.span == span, Rollup.start >= since - span)
                .order_by(Rollup.start)
            )
        ]
    else:
        span, rows = _raw(session, host.id, since, seconds)
    return {"range": wanted, "span": span, **_columns(rows)}


def _raw(session: Session, host_id: int, since: float, seconds: int) -> tuple[int, list[tuple[float, Bucket]]]:
    """Return readings in as many buckets as a chart can show."""
    query = select(Reading.at, Reading.data).where(Reading.host_id == host_id, Reading.at >= since * 1000)
    readings = session.execute(query.order_by(Reading.at)).all()
    span = max(1, -(-seconds // POINTS)) if len(readings) > POINTS else 0
    buckets: dict[float, Bucket] = {}
    for at, data in readings:
        start = at / 1000 // span * span if span else at / 1000
        _merge(buckets.setdefault(start, {}), {name: [1, value, value, value] for name, value in data.items()})
    return span, list(buckets.items())


def _columns(rows: list[tuple[float, Bucket]]) -> dict[str, Any]:
    names = dict.fromkeys(name for _, data in rows for name in data)
    series: dict[str, dict[str, list[float | None]]] = {}
    for name in names:
        found = [data.get(name) for _, data in rows]
        series[name] = {
            "mean": [_short(one[1] / one[0]) if one else None for one in found],
            "min": [_short(one[2]) if one else None for one in found],
            "max": [_short(one[3]) if one else None for one in found],
        }
    return {"times": [start for start, _ in rows], "series": series}


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def sparks(session: Session, host_ids: Sequence[int], *, seconds: int = 300, points: int = 60) -> dict[int, list[Any]]:
    """Return the last minutes of hosts for a dashboard, by host: ``[[time, cpu, memory], …]``."""
    since = (time.time() - seconds) * 1000
    found: dict[int, dict[int, list[Any]]] = defaultdict(dict)
    width = seconds * 1000 // points
    query = select(Reading.host_id, Reading.at, Reading.data).where(Reading.at >= since, Reading.host_id.in_(host_ids))
    for host_id, at, data in session.execute(query.order_by(Reading.host_id, Reading.at)):
        found[host_id][at // width] = [round(at / 1000, 1), data.get("cpu"), data.get("memory")]
    return {host_id: list(rows.values()) for host_id, rows in found.items()}
