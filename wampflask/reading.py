"""Says that what runs now only reads the database, so that a transaction needs no write lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["is_reading", "reading"]

_reading: ContextVar[bool] = ContextVar("wampflask.reading", default=False)


@contextmanager
def reading() -> Iterator[None]:
    """Everything in the ``with`` block only reads. Live things are read in one.

    What an app makes of it is its own: with SQLite, ``BEGIN`` in place of ``BEGIN IMMEDIATE``.
    """
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


def is_reading() -> bool:
    """Whether the current thread is inside :func:`reading`."""
    return _reading.get()
