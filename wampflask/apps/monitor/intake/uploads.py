"""Stores agents' uploads, those that arrive together in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from flask import current_app
from sqlalchemy.exc import OperationalError

from wampflask.apps.extensions import db

from . import history
from .batching import Batcher


def store_all(uploads: Sequence[history.Upload]) -> Sequence[int | Exception]:
    """Store uploads in one transaction, or each in its own when that fails because of one of them.

    :returns: as ``history.append``.
    :raises OperationalError: the database cannot be used: locked, full, gone.
    """
    try:
        return _store_together(uploads)
    except OperationalError:
        raise
    except Exception:
        current_app.logger.exception("Samples of %s hosts could not be stored together", len(uploads))
        return [_store_alone(upload) for upload in uploads]


def _store_alone(upload: history.Upload) -> int | Exception:
    try:
        return _store_together([upload])[0]
    except Exception as error:  # a boundary: it concerns this host only
        return error


def _store_together(uploads: Sequence[history.Upload]) -> Sequence[int | Exception]:
    session = db.session()
    try:
        outcomes = history.append(session, uploads)
        session.commit()
    except BaseException:
        session.rollback()
        raise
    return outcomes


store: Batcher[history.Upload, int] = Batcher(store_all)
"""Store one upload, and return the highest ``seq`` stored."""
