"""The live table for pages without JavaScript. Knows neither Flask nor WAMP; commits nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .models import IntegerValue, Refused

ROWS_MAX = 200
"""Rows that the table takes: strangers may add some."""


class Gone(Exception):
    """The row was deleted meanwhile."""


class Conflict(Exception):
    """The row was changed meanwhile. ``row`` is what it is now."""

    def __init__(self, row: IntegerValue) -> None:
        super().__init__(f"Someone else changed “{row.name}” meanwhile.")
        self.row = row


def rows(session: Session) -> Sequence[IntegerValue]:
    """All rows, oldest first."""
    return session.scalars(select(IntegerValue).order_by(IntegerValue.id).limit(ROWS_MAX)).all()


def may(session: Session, action: str, *, logged_in: bool) -> bool:
    """Everybody may add, up to a limit, and change; deleting is for those who are logged in."""
    if action == "create":
        return (session.scalar(select(func.count()).select_from(IntegerValue)) or 0) < ROWS_MAX
    return action != "delete" or logged_in


def create(session: Session, name: str, value: int) -> IntegerValue:
    """:raises Refused: a value that cannot be, or no more rows."""
    if not may(session, "create", logged_in=False):
        raise Refused(f"The table is full: {ROWS_MAX} rows.")
    row = IntegerValue(name=name, value=value)
    session.add(row)
    session.flush()
    return row


def change(session: Session, key: int, version: int, name: str, value: int) -> IntegerValue:
    """:raises Gone: deleted. :raises Conflict: changed since that version. :raises Refused: a value that cannot be."""
    row = _row(session, key, version)
    row.name, row.value = name, value
    session.flush()
    return row


def delete(session: Session, key: int, version: int) -> None:
    """:raises Gone: deleted already. :raises Conflict: changed since that version."""
    session.delete(_row(session, key, version))
    session.flush()


def _row(session: Session, key: int, version: int) -> IntegerValue:
    row = session.get(IntegerValue, key, with_for_update=True)
    if row is None:
        raise Gone("That row was deleted meanwhile.")
    if row.version != version:
        raise Conflict(row)
    return row
