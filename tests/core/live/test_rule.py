"""The rule that puts states in order, as a model: two workers, every step of every turn at a random moment.

A page shows the state with the greatest number. It must end with the final state in every order of steps; and the three
rules that look as good must fail, or the model proves nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

SEEDS = range(4000)


@dataclass
class World:
    """The database, the router, and a page."""

    pick: random.Random
    commits: int = 0
    numbers: int = 0
    clock: int = 0
    shown: tuple[float, int] = (-1.0, 0)
    dirty: dict[int, bool] = field(default_factory=dict)
    skew: dict[int, int] = field(default_factory=dict)

    def arrive(self, number: float, state: int) -> None:
        if number > self.shown[0]:
            self.shown = (number, state)


Turn = Callable[[World, int], Iterator[None]]


def by_the_rule(world: World, worker: int) -> Iterator[None]:
    world.dirty[worker] = False
    yield
    world.numbers += 1
    number = world.numbers
    yield
    state = world.commits
    yield
    world.arrive(number, state)


def by_order_of_arrival(world: World, worker: int) -> Iterator[None]:
    world.dirty[worker] = False
    yield
    state = world.commits
    yield
    world.numbers += 1
    world.arrive(world.numbers, state)


def by_the_clock(world: World, worker: int) -> Iterator[None]:
    world.dirty[worker] = False
    yield
    number, state = world.clock + world.skew[worker], world.commits
    yield
    world.arrive(number, state)


def by_marks_taken_late(world: World, worker: int) -> Iterator[None]:
    world.numbers += 1
    number = world.numbers
    yield
    state = world.commits
    yield
    world.dirty[worker] = False
    world.arrive(number, state)


def is_right_in_the_end(rule: Turn, seed: int) -> bool:
    """Two workers commit three times each and take turns; then everything comes to rest."""
    pick = random.Random(seed)
    world = World(pick, dirty={0: False, 1: False}, skew={0: 0, 1: pick.choice((0, 20))})
    left = {0: 3, 1: 3}
    running: dict[int, Iterator[None]] = {}
    while any(left.values()) or running or any(world.dirty.values()):
        world.clock += 1
        worker = pick.randrange(2)
        if left[worker] and pick.random() < 0.4:
            left[worker] -= 1
            world.commits += 1
            world.dirty[worker] = True
        elif worker in running:
            if next(running[worker], "done") == "done":
                del running[worker]
        elif world.dirty[worker]:
            running[worker] = rule(world, worker)
    return world.shown[1] == world.commits


def wrong(rule: Turn) -> int:
    return sum(not is_right_in_the_end(rule, seed) for seed in SEEDS)


def test_the_rule_is_never_wrong() -> None:
    assert wrong(by_the_rule) == 0


@pytest.mark.parametrize("rule", [by_order_of_arrival, by_the_clock, by_marks_taken_late])
def test_the_model_catches_rules_that_only_look_right(rule: Turn) -> None:
    assert wrong(rule) > 0
