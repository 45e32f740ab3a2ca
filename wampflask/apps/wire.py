"""Typed readers of values that come from untrusted clients. Each returns the value in its type or raises Invalid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import Invalid

INTEGER_MAX = 2**31 - 1
"""The greatest value of an integer column."""


def whole(value: object, name: str, low: int = 0, high: int = INTEGER_MAX) -> int:
    """Return a whole number from ``low`` to ``high``.

    :raises Invalid: naming ``name`` and its range.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Invalid(f"{name} must be a whole number from {low} to {high}.")
    return value


def number(value: object, name: str, low: float, high: float) -> float:
    """Return a number from ``low`` to ``high``; ``nan`` is none.

    :raises Invalid: naming ``name`` and its range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Invalid(f"{name} must be a number from {low:g} to {high:g}.")
    return value


def flag(value: object, name: str) -> bool:
    """Return a flag.

    :raises Invalid: neither true nor false.
    """
    if not isinstance(value, bool):
        raise Invalid(f"{name} must be true or false.")
    return value


def text(value: object, name: str) -> str:
    """Return a text.

    :raises Invalid: not text.
    """
    if not isinstance(value, str):
        raise Invalid(f"{name} must be text.")
    return value


def items(value: object, name: str, most: int, least: int = 0) -> list[Any]:
    """Return a list of ``least`` to ``most`` items.

    :raises Invalid: naming ``name`` and the lengths allowed.
    """
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise Invalid(f"{name} must be a list of {least} to {most} items.")
    return value


def fields(value: object, name: str, most: int | None = None) -> Mapping[str, Any]:
    """Return an object, of at most ``most`` fields.

    :raises Invalid: naming ``name``.
    """
    if not isinstance(value, dict) or (most is not None and len(value) > most):
        raise Invalid(f"{name} must be an object" + (f" of at most {most} fields." if most is not None else "."))
    return value


def from_form(digits: str, refusal: str) -> int:
    """Return the whole number, of up to nine digits, in a field that people do not fill in themselves.

    :raises Invalid: with the words of ``refusal``.
    """
    if not (digits.isascii() and digits.isdigit() and len(digits) < len(str(INTEGER_MAX))):
        raise Invalid(refusal)
    return int(digits)
