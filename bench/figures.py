"""What a measurement has to say, and whether it is what was promised.

These machines are noisy, so nothing absolute is promised: both sides of a ratio are measured in turns in one run, and
the median of the pairs counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Measure = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """One promise.

    :param ours: per second, one a round. :param theirs: likewise.
    :param at_least: the ratio that is promised.
    """

    name: str
    ours: Sequence[float]
    theirs: Sequence[float]
    at_least: float

    @property
    def value(self) -> float:
        """The median of the rounds' ratios."""
        return median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return self.value >= self.at_least

    def __str__(self) -> str:
        figures = f"{median(self.ours):>9,.0f}/s against {median(self.theirs):>9,.0f}/s"
        verdict = "ok" if self.kept else "MISSED"
        return f"{self.name:<58} {figures}  ratio {self.value:6.2f}  (promised {self.at_least:g})  {verdict}"


def in_turns(rounds: int, *measures: Measure) -> list[list[float]]:
    """Run ``measures`` one after the other, ``rounds`` times; the results of each, after one round of warming up."""
    results: list[list[float]] = [[] for _ in measures]
    for number in range(rounds + 1):
        for kept, measure in zip(results, measures, strict=True):
            figure = measure()
            if number:
                kept.append(figure)
    return results
