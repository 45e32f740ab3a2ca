"""``flask polls …``."""

from __future__ import annotations

import secrets

import click
from flask.cli import AppGroup

from wampflask.apps.extensions import db

from . import examples, service
from .models import CHOICES_MAX, CHOICES_MIN

polls = AppGroup("polls", help="Live polls.")

_BATCH = 100  # questions a transaction


@polls.command("add-questions")
@click.option("--count", default=10, show_default=True, type=click.IntRange(1, 100_000), help="How many questions.")
@click.option(
    "--choices",
    default=4,
    show_default=True,
    type=click.IntRange(CHOICES_MIN, CHOICES_MAX),
    help="Choices for each question.",
)
@click.option("--seed", type=int, help="The same seed generates the same questions. Default: random.")
def add_questions(count: int, choices: int, seed: int | None) -> None:
    """Add generated questions, to try the site with."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    drafts = examples.generate(count, choices, seed)
    with click.progressbar(drafts, length=count, label="Adding questions") as bar:
        for number, draft in enumerate(bar, start=1):
            service.create_question(db.session(), draft)
            if number % _BATCH == 0:
                db.session.commit()
                db.session.expunge_all()
        db.session.commit()
    click.echo(f"Added {count} questions with {choices} choices each (seed {seed}).")
