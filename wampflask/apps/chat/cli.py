"""``flask chat …``."""

from __future__ import annotations

from datetime import timedelta

import click
from flask.cli import AppGroup
from sqlalchemy import delete, select

from wampflask import WampError
from wampflask.apps.db import now
from wampflask.apps.extensions import db, wamp

from . import contract
from .models import Message, Room

chat = AppGroup("chat", help="Chat rooms.")


@chat.command("rooms")
def rooms() -> None:
    """List the rooms, newest first, with their messages and the people who are here."""
    for room in db.session.scalars(select(Room).order_by(Room.id.desc())):
        click.echo(f"{room.label:50}  {room.last:7} messages  {_count_people(room):5} here")


@chat.command("prune")
@click.option(
    "--days",
    default=30,
    show_default=True,
    type=click.IntRange(0),
    help="Only rooms of this age.",
)
def prune(days: int) -> None:
    """Delete rooms without any message and with nobody in them."""
    silent = select(Room).where(Room.last == 0, Room.created_at <= now() - timedelta(days=days))
    empty = [room.id for room in db.session.scalars(silent) if not _count_people(room)]
    db.session.rollback()
    still_silent = Room.id.not_in(select(Message.room_id))
    gone = sum(
        db.session.execute(delete(Room).where(Room.id == number, still_silent)).rowcount  # type: ignore[attr-defined]
        for number in empty
    )
    db.session.commit()
    click.echo(f"Deleted {gone} empty rooms.")


def _count_people(room: Room) -> int:
    try:
        return len(wamp.online(contract.presence_topic(room.label, room.key)))
    except WampError as error:
        why = f"Cannot find out who is in the rooms: {error} Start the router and try again."
        raise click.ClickException(why) from None
