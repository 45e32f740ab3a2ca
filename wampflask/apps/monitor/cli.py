"""``flask monitor …``."""

from __future__ import annotations

from datetime import timedelta

import click
from flask.cli import AppGroup

from wampflask.apps.extensions import db

from .intake import enrolment

monitor = AppGroup("monitor", help="Host monitoring.")

MAX_HOURS = 24 * 366


@monitor.command("token")
@click.option("--reusable", is_flag=True, help="Can be used by any number of hosts until it expires.")
@click.option("--hours", default=24, show_default=True, type=click.IntRange(1, MAX_HOURS), help="Valid for.")
@click.option("--note", default="", help="What it is for.")
def token(*, reusable: bool, hours: int, note: str) -> None:
    """Create an enrolment token for a new host. It is shown only once."""
    _, text = enrolment.make_token(db.session(), note=note, reusable=reusable, lifetime=timedelta(hours=hours))
    db.session.commit()
    click.echo(text)
