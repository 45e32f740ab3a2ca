"""How much one person may write."""

from __future__ import annotations

from wampflask.apps.config import KEYS
from wampflask.apps.extensions import wamp
from wampflask.apps.rates import read_rate

from .service import Rate

_MESSAGES = wamp.settings.declare(
    "chat.rate",
    KEYS["WAMPFLASK_CHAT_RATE"],
    read=read_rate,
    key="WAMPFLASK_CHAT_RATE",
    help="Messages of one person in all rooms: this many at once, and as many again in that time.",
)


def rate() -> Rate:
    """Return what holds now."""
    limit = _MESSAGES.value
    return Rate(limit.amount, float(limit.get_expiry()))
