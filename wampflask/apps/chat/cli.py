"""``flask chat …``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import click
from flask.cli import AppGroup
from sqlalchemy import select

from wampflask import WampError
from wampflask.apps.extensions import db

from .jobs import KEPT, count_people, delete_silent
from .models import Room

chat = AppGroup("chat", help="Chat rooms.")


@chat.command("rooms")
def rooms() -> None:
    """List the rooms, newest first, with their messages and the people who are here."""
    with _router():
        for room in db.session.scalars(select(Room).order_by(Room.id.desc())):
            click.echo(f"{room.label:50}  {room.last:7} messages  {count_people(room):5} here")


@chat.command("prune")
@click.option(
    "--days",
    default=KEPT.days,
    show_default=True,
    type=click.IntRange(0),
    help="Only rooms of this age.",
)
def prune(days: int) -> None:
    """Delete rooms without any message and with nobody in them."""
    with _router():
        click.echo(f"Deleted {delete_silent(timedelta(days=days))} empty rooms.")


@contextmanager
def _router() -> Iterator[None]:
    try:
        yield
    except WampError as error:
        why = f"Cannot find out who is in the rooms: {error} Start the router and try again."
        raise click.ClickException(why) from None
