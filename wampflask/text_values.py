"""Values that people type: texts, numbers and flags, by the type of a default."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any


def text_of(default: object) -> str:
    """Return how a default is written."""
    return json.dumps(default) if isinstance(default, bool) else str(default)


def reader_of(default: object) -> Callable[[str], Any]:
    """Return what reads a text as a value of the default's type; it raises ValueError with words for people."""
    for kind, reader in ((bool, _read_flag), (int, _read_whole), (float, _read_number)):
        if isinstance(default, kind):
            return reader
    return str


def _read_flag(text: str) -> bool:
    found = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if text.strip().lower() not in found:
        raise ValueError(f"{text!r} is neither true nor false.")
    return found[text.strip().lower()]


def _read_whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number.") from None


def _read_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number.") from None
    if not math.isfinite(number):
        raise ValueError(f"{text!r} cannot be used as a number.")
    return number
