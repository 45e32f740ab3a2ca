"""Values as they come from agents: anything at all, until it went through here."""

from __future__ import annotations


def whole(value: object, low: int, high: int) -> int | None:
    """``value``, if it is a whole number from ``low`` to ``high``; else None."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if low <= value <= high else None


def number(value: object, low: float, high: float) -> float | None:
    """``value``, if it is a number from ``low`` to ``high``; else None, as for ``nan`` and what no float can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if low <= value <= high else None
