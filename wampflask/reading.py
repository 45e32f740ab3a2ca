"""Says that what runs now only reads the database, so that a transaction needs no write lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["is_reading", "reading", "writing"]

_reading: ContextVar[bool] = ContextVar("wampflask.reading", default=False)


@contextmanager
def reading() -> Iterator[None]:
    """Everything in the ``with`` block only reads. Live things are read in one.

    What an app makes of it is its own: with SQLite, ``BEGIN`` in place of ``BEGIN IMMEDIATE``.
    """
    with _set(True):
        yield


@contextmanager
def writing() -> Iterator[None]:
    """The opposite, for a part of what otherwise only reads. It needs a new transaction."""
    with _set(False):
        yield


@contextmanager
def _set(value: bool) -> Iterator[None]:
    token = _reading.set(value)
    try:
        yield
    finally:
        _reading.reset(token)


def is_reading() -> bool:
    """Return whether the current thread is inside :func:`reading`."""
    return _reading.get()
