"""What a sampler is, and what samplers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .metrics import Metric
from .text import clean

Values = dict[str, Any]

MAX_NAMES = 48
"""Disks, interfaces and sensors of one kind in a report; the first ones."""


class Sampler:
    """Measures some of the metrics, all in one group.

    ``trouble``: what could not be measured the last time, while the rest could.
    """

    metrics: tuple[Metric, ...] = ()
    trouble = ""

    @property
    def name(self) -> str:
        """The name under which a report says that this sampler failed."""
        return type(self).__name__.lower()

    @property
    def group(self) -> str:
        """The switch in the configuration."""
        return self.metrics[0].group

    def prime(self, now: float) -> None:
        """Begin to measure: rates and shares are of the time from now on."""

    def sample(self, now: float) -> Values:
        """Return the values now, without those that this machine does not have.

        :param now: seconds, monotonic.
        """
        raise NotImplementedError


class Rates:
    """How fast named counters rise."""

    def __init__(self) -> None:
        self._before: Mapping[str, Sequence[float]] = {}
        self._then: float | None = None

    def of(self, counters: Mapping[str, Sequence[float]], now: float) -> dict[str, list[float]]:
        """Return by name how much each counter rose per second since the last call.

        New names are left out, and those with a counter that fell: it was reset or overflowed.
        """
        elapsed = now - self._then if self._then is not None else 0.0
        rates = {}
        for name, values in counters.items():
            rises = [value - before for value, before in zip(values, self._before.get(name, ()))]
            if elapsed > 0 and rises and min(rises) >= 0:
                rates[name] = [round(rise / elapsed, 1) for rise in rises]
        self._before, self._then = counters, now
        return rates


def named(name: str, things: Mapping[str, Any]) -> Values:
    """Return ``things`` under ``name``, with clean names and not too many; nothing when there are none."""
    some = list(things.items())[:MAX_NAMES]
    return {name: {clean(key): value for key, value in some}} if some else {}


def ratio(part: float, whole: float) -> float:
    return round(min(max(part / whole, 0.0), 1.0), 4) if whole else 0.0
