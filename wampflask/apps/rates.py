"""How rate limits are written: ``10 per minute; 60 per hour``."""

from __future__ import annotations

from limits import RateLimitItem, parse_many


def read_rates(text: str) -> list[RateLimitItem]:
    """Return the limits of a text.

    :raises ValueError: with words for the person who typed it.
    """
    try:
        return parse_many(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a rate limit such as '10 per minute'.") from None


def read_rate(text: str) -> RateLimitItem:
    """Return the one limit of a text.

    :raises ValueError: there is none, or more than one.
    """
    limits = read_rates(text)
    if len(limits) > 1:
        raise ValueError(f"{text!r} is more than one rate limit.")
    return limits[0]
