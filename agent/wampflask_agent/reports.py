"""Reports: everything that the samplers measured at one moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from .config import Config
from .sampler import Sampler, Values
from .text import clean, describe

SET_BACK = 2.0
"""Seconds; a clock that is only kept in step goes back by less."""


class Reporter:
    """Takes reports with every sampler that is switched on; one that fails is named and stops no other.

    :param facts: what every report holds: host, name, ip.
    """

    def __init__(
        self,
        measures: Sequence[Sampler],
        facts: Values,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._samplers = measures
        self.facts = facts
        self._wall = wall
        self._monotonic = monotonic
        self._last = 0.0
        self._primed: set[Sampler] = set()

    def prime(self, config: Config) -> bool:
        """Begin to measure what was switched on, forget what was switched off. Return whether anything began."""
        wanted = {sampler for sampler in self._samplers if config.shows(sampler.group)}
        new = wanted - self._primed
        for sampler in new:
            with suppress(Exception):  # what it cannot do now it says in the next report
                sampler.prime(self._monotonic())
        self._primed = wanted
        return bool(new)

    def take(self, config: Config, interval: float) -> Values:
        """Return a report of this moment.

        :param interval: seconds until the next report, for its readers.
        """
        self._last = self._next_time()
        report: Values = {**self.facts, "time": self._last, "interval": interval, "version": config.version}
        failed = {}
        for sampler in self._samplers:
            if not config.shows(sampler.group):
                continue
            try:
                report.update(sampler.sample(self._monotonic()))
                trouble = sampler.trouble
            except Exception as error:  # a boundary: no sampler may stop another, or the agent
                trouble = describe(error)
            if trouble:
                failed[sampler.name] = clean(trouble, 300)
        if failed:
            report["failed"] = failed
        return report

    def _next_time(self) -> float:
        """Return a time later than the last; but after the clock was set back, the time it shows now."""
        now = round(self._wall(), 3)
        return now if now > self._last or now < self._last - SET_BACK else round(self._last + 0.001, 3)
