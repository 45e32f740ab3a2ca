"""How much one person may write."""

from __future__ import annotations

from flask import current_app
from limits import parse

from .service import Rate


def rate() -> Rate:
    """Return the current app's limit (``WAMPFLASK_CHAT_RATE``)."""
    limit = parse(current_app.extensions["site"].chat_rate)
    return Rate(limit.amount, float(limit.get_expiry()))
