"""``flask chat …``."""

from __future__ import annotations

from datetime import timedelta

import click
from flask.cli import AppGroup
from sqlalchemy import delete, select

from wampflask.apps.db import now
from wampflask.apps.extensions import db

from . import service
from .models import Message, Presence, Room

chat = AppGroup("chat", help="Chat rooms.")


@chat.command("rooms")
def rooms() -> None:
    """List the rooms, the newest first, with how much was said and who is here."""
    for room in db.session.scalars(select(Room).order_by(Room.id.desc())):
        here = service.people_here(db.session(), room)["total"]
        click.echo(f"{room.label:50}  {room.last:7} messages  {here:5} here")


@chat.command("prune")
@click.option("--days", default=30, show_default=True, type=click.IntRange(0), help="Older than so many days.")
def prune(days: int) -> None:
    """Delete rooms in which nobody ever spoke and nobody is."""
    used = select(Message.room_id).union(select(Presence.room_id))
    old = delete(Room).where(Room.last == 0, Room.created_at <= now() - timedelta(days=days), Room.id.not_in(used))
    gone = db.session.execute(old, execution_options={"synchronize_session": False})
    db.session.commit()
    click.echo(f"Deleted {gone.rowcount} empty rooms.")  # type: ignore[attr-defined]
