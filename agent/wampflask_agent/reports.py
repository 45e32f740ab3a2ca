"""Reports: everything that the samplers measured at one moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from .config import Config
from .sampler import Sampler, Values
from .text import clean, describe

SET_BACK = 2.0
"""Seconds; by less, a clock goes back when it is only kept in step."""


class Reporter:
    """Takes samples with every sampler that is switched on; one that fails is named and stops no other.

    :param facts: what stands in each sample: host, name, ip.
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
        """Begin to measure what is switched on and was not, forget what is off; whether anything began."""
        wanted = {sampler for sampler in self._samplers if config.shows(sampler.group)}
        new = wanted - self._primed
        for sampler in new:
            with suppress(Exception):  # what it cannot do now it says at the next sample
                sampler.prime(self._monotonic())
        self._primed = wanted
        return bool(new)

    def take(self, config: Config, interval: float) -> Values:
        """One sample.

        :param interval: seconds until the next, for those who wait for it.
        """
        self._last = self._next_time()
        sample: Values = {**self.facts, "time": self._last, "interval": interval, "version": config.version}
        failed = {}
        for sampler in self._samplers:
            if not config.shows(sampler.group):
                continue
            try:
                sample.update(sampler.sample(self._monotonic()))
                trouble = sampler.trouble
            except Exception as error:  # a boundary: no sampler may stop another, or the agent
                trouble = describe(error)
            if trouble:
                failed[sampler.name] = clean(trouble, 300)
        if failed:
            sample["failed"] = failed
        return sample

    def _next_time(self) -> float:
        """Later than the last; but when the clock was set back, it was wrong before, and right now."""
        now = round(self._wall(), 3)
        return now if now > self._last or now < self._last - SET_BACK else round(self._last + 0.001, 3)
