"""Example questions for a new site, and generated ones by the hundred: the same seed generates the same ones."""

from __future__ import annotations

import random
from collections.abc import Iterator

from wampflask.apps.errors import Invalid

from .models import CHOICES_MAX, CHOICES_MIN, Kind, Visibility
from .service import ChoiceDraft, QuestionDraft


def _draft(
    text: str, *labels: str, kind: Kind = Kind.SINGLE, visibility: Visibility = Visibility.ALWAYS
) -> QuestionDraft:
    return QuestionDraft(text=text, choices=[ChoiceDraft(label) for label in labels], kind=kind, visibility=visibility)


FIRST = (
    _draft("Where do you get your best ideas?", "In the shower", "On a walk", "In bed", "At the desk, by deadline"),
    _draft(
        "What should we have for lunch together?",
        "Pizza",
        "Noodles",
        "Salad bar",
        "Whatever the queue is shortest for",
        kind=Kind.MULTIPLE,
    ),
    _draft("Tabs or spaces?", "Tabs", "Spaces", "The formatter decides", visibility=Visibility.AFTER_VOTE),
    _draft("How was this talk?", "Great", "Good", "So-so", "I was asleep", visibility=Visibility.AFTER_CLOSE),
)
"""For the first start: one of each kind and visibility."""

_MULTIPLE = 0.25  # of generated questions allow several answers
_OPENINGS = (
    "Which {thing} would you take to {place}?",
    "What is the best {thing} for {place}?",
    "Which {thing} should nobody bring to {place}?",
    "If {place} had one {thing}, which should it be?",
    "Which {thing} did you last see at {place}?",
)
_PLACES = (
    "a desert island", "the office", "a rainy weekend", "the moon", "a long train ride", "a family party",
    "the dentist's", "a mountain hut", "the first day of school", "a night market",
)  # fmt: skip
_THINGS = {
    "snack": ("popcorn", "olives", "a cold pizza", "gingerbread", "wasabi peas", "an apple", "crackers", "dates"),
    "instrument": ("a banjo", "a tuba", "a theremin", "a ukulele", "bongos", "a kazoo", "a harp", "an accordion"),
    "animal": ("a goat", "a parrot", "an octopus", "a hedgehog", "a llama", "a crow", "a dachshund", "a cat"),
    "tool": ("a spoon", "a crowbar", "duct tape", "a laser pointer", "a ladder", "a whistle", "a torch", "string"),
    "book": ("a cookbook", "a thriller", "an atlas", "poems", "a dictionary", "a manual", "a diary", "a comic"),
    "superpower": ("flying", "napping anywhere", "perfect pitch", "invisibility", "good timing", "patience",
                   "never losing keys", "speaking with cats"),
}  # fmt: skip


def generate(count: int, choices: int, seed: int) -> Iterator[QuestionDraft]:
    """Generate ``count`` questions with ``choices`` choices each; the first n do not depend on ``count``.

    :raises Invalid: a number of choices that is not allowed.
    """
    if not CHOICES_MIN <= choices <= CHOICES_MAX:
        raise Invalid(f"A question needs {CHOICES_MIN} to {CHOICES_MAX} choices, not {choices}.")
    chance = random.Random(seed)  # noqa: S311 - for fun, and the same each time
    for _ in range(count):
        thing = chance.choice(sorted(_THINGS))
        text = chance.choice(_OPENINGS).format(thing=thing, place=chance.choice(_PLACES))
        yield QuestionDraft(
            text=text,
            choices=[ChoiceDraft(label) for label in _labels(chance, thing, choices)],
            kind=Kind.MULTIPLE if chance.random() < _MULTIPLE else Kind.SINGLE,
        )


def _labels(chance: random.Random, thing: str, number: int) -> list[str]:
    """Return ``number`` different answers: of the thing itself as far as there are any, then of the others."""
    own = list(_THINGS[thing])
    others = sorted({label for name, labels in _THINGS.items() if name != thing for label in labels})
    chance.shuffle(own)
    chance.shuffle(others)
    return [label[0].upper() + label[1:] for label in (own + others)[:number]]
