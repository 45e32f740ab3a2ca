"""Text from a machine or a network, made fit to send and to read."""

from __future__ import annotations

MAX_NAME = 120
"""Characters of the name of a disk, an interface, a sensor, a process."""


def clean(text: str, most: int = MAX_NAME) -> str:
    """Return ``text`` as valid Unicode and not too long; names on a machine may be any bytes."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= most else whole[: most - 1] + "…"


def describe(error: BaseException) -> str:
    """Return an error's type and text."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def short(value: object) -> str:
    """Return a value as an error message quotes it."""
    return clean(repr(value), 60)
