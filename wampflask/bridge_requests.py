"""What the bridge remembers of requests, in rows that all workers share: nonces, rates, and answers to be given again.

Everything is for any thread and process; moments are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Float, Index, Integer, String, Table, Text, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from .store import Store, metadata

__all__ = ["Outcome", "Replayed", "Requests", "TooFast"]

ANSWERS_KEPT = 86_400.0
"""Seconds for which an answer is given again to the same idempotency key."""
PRUNE_EVERY = 60.0
"""Seconds between two prunings by one process."""

NONCES = Table(
    "wampflask_bridge_nonce",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("nonce", String(32), primary_key=True),
    Column("expires", Float, nullable=False),
)
Index("wampflask_bridge_nonce_expires", NONCES.c.expires)
USES = Table(
    "wampflask_bridge_use",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("tokens", Float, nullable=False),
    Column("at", Float, nullable=False),
)
ANSWERS = Table(
    "wampflask_bridge_answer",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("token", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("begun", Float, nullable=False),
    Column("status", Integer),
    Column("body", Text),
)
Index("wampflask_bridge_answer_begun", ANSWERS.c.begun)

_INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Replayed(Exception):
    """The nonce was used before."""


class TooFast(Exception):
    """The key is over its rate limit. ``wait``: seconds until it may send again."""

    def __init__(self, wait: float) -> None:
        super().__init__(wait)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the request with an idempotency key: its answer, or None when it has none yet.

    :param fingerprint: of the request.
    :param begun: when it began.
    """

    fingerprint: str
    begun: float
    status: int | None
    body: str | None


class Requests:
    """The bridge's memory of one app.

    :param rate: requests a second that one key may send in the long run; 0 for no limit.
    :param burst: how many at once.
    """

    def __init__(self, store: Store, rate: float, burst: float) -> None:
        self._store = store
        self._rate = rate
        self._burst = burst
        self._pruned = 0.0

    def admit(self, key: str, nonce: str, expires: float, now: float) -> None:
        """Note a request of a key, once for all workers.

        :param expires: when its timestamp will be too old, so that its nonce may be forgotten.
        :raises TooFast: the key is over its limit; the nonce may be used again.
        :raises Replayed: the nonce was used before.
        """
        with self._store.transaction() as connection:
            self._spend(connection, key, now)
            if not _insert(connection, NONCES, key=key, nonce=nonce, expires=expires):
                raise Replayed
            if now - self._pruned > PRUNE_EVERY:
                self._pruned = now
                connection.execute(delete(NONCES).where(NONCES.c.expires < now))
                connection.execute(delete(ANSWERS).where(ANSWERS.c.begun < now - ANSWERS_KEPT))

    def _spend(self, connection: Connection, key: str, now: float) -> None:
        _insert(connection, USES, key=key, tokens=self._burst, at=now)
        mine = USES.c.key == key
        tokens, at = connection.execute(select(USES.c.tokens, USES.c.at).where(mine).with_for_update()).one()
        left = min(self._burst, tokens + max(0.0, now - at) * self._rate)
        if self._rate and left < 1:
            raise TooFast((1 - left) / self._rate)
        connection.execute(update(USES).where(mine).values(tokens=max(0.0, left - 1), at=max(at, now)))

    def last_used(self) -> dict[str, float]:
        """Return when each key was last used here, by its name."""
        with self._store.transaction() as connection:
            return {row.key: row.at for row in connection.execute(select(USES.c.key, USES.c.at))}

    def begin(self, key: str, token: str, fingerprint: str, now: float) -> Outcome | None:
        """Begin a request with an idempotency key; return what became of it when it was begun before.

        :param fingerprint: of the request: another one must not have the same idempotency key.
        """
        with self._store.transaction() as connection:
            mine = (ANSWERS.c.key == key) & (ANSWERS.c.token == token)
            connection.execute(delete(ANSWERS).where(mine, ANSWERS.c.begun < now - ANSWERS_KEPT))
            if _insert(connection, ANSWERS, key=key, token=token, fingerprint=fingerprint, begun=now):
                return None
            row = connection.execute(select(ANSWERS).where(mine)).one()
            return Outcome(row.fingerprint, row.begun, row.status, row.body)

    def finish(self, key: str, token: str, status: int, body: str) -> None:
        """Keep the answer."""
        with self._store.transaction() as connection:
            mine = (ANSWERS.c.key == key) & (ANSWERS.c.token == token)
            connection.execute(update(ANSWERS).where(mine).values(status=status, body=body))

    def forget(self, key: str, token: str) -> None:
        """Forget a request that did nothing, so that it can be sent again."""
        with self._store.transaction() as connection:
            connection.execute(delete(ANSWERS).where(ANSWERS.c.key == key, ANSWERS.c.token == token))


def _insert(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row unless its key is there; return whether it was not. Two that do so at once wait for each other."""
    statement = _INSERT[connection.dialect.name](table).values(**values).on_conflict_do_nothing()
    return connection.execute(statement.returning(table.c.key)).first() is not None
