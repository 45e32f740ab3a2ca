"""The live table, for its page without JavaScript. Knows neither Flask nor WAMP; commits nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from wampflask.apps.errors import Conflict, Invalid, NotFound

from .models import IntegerValue

ROWS_MAX = 200
"""Rows that the table holds at most: visitors may add some."""
TAKEN = "A row with this name exists already. Choose another name."
CHANGED = "Someone else changed this row in the meantime. Your entry is kept: compare, then save again."


def rows(session: Session) -> Sequence[IntegerValue]:
    """Return all rows, oldest first."""
    return session.scalars(select(IntegerValue).order_by(IntegerValue.id).limit(ROWS_MAX)).all()


def may(session: Session, action: str, *, is_user: bool = False) -> bool:
    """Return whether someone may ``create`` (everyone, up to a limit), ``update`` (everyone) or ``delete`` (users)."""
    if action == "create":
        return (session.scalar(select(func.count()).select_from(IntegerValue)) or 0) < ROWS_MAX
    return action != "delete" or is_user


def create(session: Session, name: str, value: int) -> IntegerValue:
    """Add a row.

    :raises Invalid: a value that is not allowed, a name that is taken, or too many rows.
    """
    if not may(session, "create"):
        raise Invalid(f"The table is full: it holds {ROWS_MAX} rows.")
    row = IntegerValue(name=name, value=value)
    session.add(row)
    with _refusing():
        session.flush()
    return row


def change(session: Session, key: int, version: int, name: str, value: int) -> IntegerValue:
    """Change a row.

    :raises NotFound: it was deleted.
    :raises Conflict: it was changed since that version.
    :raises Invalid: a value that is not allowed, or a name that is taken.
    """
    row = _row(session, key, version)
    row.name, row.value = name, value
    with _refusing():
        session.flush()
    return row


def delete(session: Session, key: int, version: int) -> None:
    """Delete a row.

    :raises NotFound: it was deleted already.
    :raises Conflict: it was changed since that version.
    """
    session.delete(_row(session, key, version))
    with _refusing():
        session.flush()


def _row(session: Session, key: int, version: int) -> IntegerValue:
    row = session.get(IntegerValue, key, with_for_update=True)
    if row is None:
        raise NotFound("Someone else deleted this row in the meantime.")
    if row.version != version:
        raise Conflict(CHANGED)
    return row


@contextmanager
def _refusing() -> Iterator[None]:
    """Raise what the database's constraints refuse as errors for people."""
    try:
        yield
    except IntegrityError:
        raise Invalid(TAKEN) from None
    except StaleDataError:
        raise Conflict(CHANGED) from None
