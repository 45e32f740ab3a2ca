"""Values out of JSON from another program, checked. Each function raises :class:`FieldError` for a wrong value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import short


class FieldError(ValueError):
    """A field with a wrong value; the text names it and what it may be."""


def boolean(data: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = data.get(name, default)
    if not isinstance(value, bool):
        raise FieldError(f"{name} is {short(value)}; it must be true or false")
    return value


def integer(data: Mapping[str, Any], name: str, default: int) -> int:
    value = data.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FieldError(f"{name} is {short(value)}; it must be a whole number from 0 on")
    return value


def seconds(data: Mapping[str, Any], name: str, default: float, limits: tuple[float, float]) -> float:
    value = data.get(name, default)
    least, most = limits
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
        raise FieldError(f"{name} is {short(value)}; it must be a number of seconds from {least:g} to {most:g}")
    return float(value)


def text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise FieldError(f"{name} is {short(value)}; it must be text")
    return value
