"""Numbers as people read them, formatted as in ``static/js/monitor/units.js``."""

from __future__ import annotations

import math

NONE = "–"
_STEPS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024
_ONE_DIGIT = 10


def percent(ratio: float | None) -> str:
    """Format a ratio, 0 to 1, in whole percent."""
    return NONE if ratio is None else f"{_rounded(ratio * 100)}%"


def size(value: float | None) -> str:
    """Format a number of bytes."""
    if value is None:
        return NONE
    left, step = abs(value), 0
    while left >= _STEP and step < len(_STEPS) - 1:
        left, step = left / _STEP, step + 1
    return f"{left:.1f} {_STEPS[step]}" if left < _ONE_DIGIT and step else f"{_rounded(left)} {_STEPS[step]}"


def rate(value: float | None) -> str:
    """Format bytes a second."""
    return NONE if value is None else f"{size(value)}/s"


def degrees(value: float | None) -> str:
    """Format degrees Celsius."""
    return NONE if value is None else f"{_rounded(value)} °C"


def duration(seconds: float | None) -> str:
    """Format seconds as days and hours, hours and minutes, or minutes."""
    if seconds is None:
        return NONE
    days, hours, minutes = int(seconds // 86_400), int(seconds // 3600) % 24, int(seconds // 60) % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def load(values: list[float] | None) -> str:
    """Format the means of 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in values or ()) or NONE


def _rounded(value: float) -> int:
    """Round halves up, as JavaScript does."""
    return math.floor(value + 0.5)
