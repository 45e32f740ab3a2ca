"""Text from a machine or a network, made fit to travel and to be read."""

from __future__ import annotations

"""Disks, interfaces and sensors of one kind in a sample; those that come first."""
MAX_NAME = 120


def clean(text: str, most: int = MAX_NAME) -> str:
    """``text`` as it can travel: names on a machine may be any bytes; not too long."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= most else whole[: most - 1] + "…"


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def short(value: object) -> str:
    return clean(repr(value), 60)
