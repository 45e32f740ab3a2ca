"""``flask polls add-questions``."""

from __future__ import annotations

import pytest
from click.testing import Result
from flask import Flask

from wampflask.apps.extensions import db
from wampflask.apps.polls import examples, service
from wampflask.in_memory import MemoryRealm


def add(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["polls", "add-questions", *arguments])


def stored(app: Flask) -> list[tuple[str, str, list[str]]]:
    with app.app_context():
        found = service.list_questions(db.session(), limit=1000)
        return [(q.text, q.kind, [choice.label for choice in q.choices]) for q in reversed(found)]


def test_the_same_seed_makes_the_same_questions(app: Flask, realm: MemoryRealm) -> None:
    assert add(app, "--count", "7", "--choices", "3", "--seed", "42").exit_code == 0
    first = stored(app)
    assert len(first) == 7
    assert all(len(labels) == 3 for _, _, labels in first)
    assert add(app, "--count", "9", "--choices", "3", "--seed", "42").exit_code == 0
    assert stored(app)[7:14] == first
    assert add(app, "--count", "7", "--choices", "3", "--seed", "43").exit_code == 0
    assert stored(app)[16:] != first


def test_many_with_progress_and_every_one_told(app: Flask, realm: MemoryRealm) -> None:
    result = add(app, "--count", "250", "--seed", "1")
    assert result.exit_code == 0
    assert "Adding questions" in result.output
    assert "Added 250 questions with 4 choices each (seed 1)." in result.output
    assert len(stored(app)) == 250
    assert len({event.topic for event in realm.published if event.topic.startswith("polls.question.update.")}) == 250


def test_a_chosen_seed_is_shown(app: Flask, realm: MemoryRealm) -> None:
    assert "(seed " in add(app, "--count", "1").output


@pytest.mark.parametrize(
    "arguments", [["--count", "0"], ["--count", "x"], ["--choices", "1"], ["--choices", "21"], ["--seed", "pi"]]
)
def test_numbers_that_cannot_be(app: Flask, realm: MemoryRealm, arguments: list[str]) -> None:
    assert add(app, *arguments).exit_code == 2
    assert stored(app) == []


@pytest.mark.parametrize("choices", range(2, 21))
def test_made_up_choices_differ(choices: int) -> None:
    for draft in examples.generate(20, choices, seed=choices):
        labels = [choice.label for choice in draft.choices]
        assert len(labels) == len(set(labels)) == choices
