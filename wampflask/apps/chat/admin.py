"""Rooms, messages and sanctions in the admin, mostly read-only: moderators act in the rooms."""

from __future__ import annotations

from flask_sqlalchemy import SQLAlchemy

from wampflask.apps.admin_views import ReadOnlyView, SiteModelView

from . import live
from .models import Message, Person, Room, Sanction


class RoomView(ReadOnlyView):
    """Rooms."""

    column_list = ("label", "last", "created_at")
    column_searchable_list = ("label",)
    column_default_sort = ("id", True)


class MessageView(ReadOnlyView):
    """Messages."""

    column_list = ("room", "number", "name", "text", "said_at", "edited", "deleted")
    column_searchable_list = ("text", "name", "room.label")
    column_default_sort = ("id", True)


class PersonView(ReadOnlyView):
    """People and their names."""

    column_list = ("name", "authid", "moderator", "created_at")
    column_searchable_list = ("name", "authid")
    column_default_sort = ("id", True)


class SanctionView(ReadOnlyView):
    """Who is muted or banned; deleting one lifts it."""

    can_delete = True
    column_list = ("room", "person", "banned", "muted_until")

    def on_model_delete(self, model: Sanction) -> None:
        """Let the person write again, on open pages, too."""
        live.announce_mute(model.room, model.person)


def chat_views(db: SQLAlchemy) -> list[SiteModelView]:
    """Return the pages of this feature."""
    return [
        RoomView(Room, db, name="Rooms", category="Chat", endpoint="chat_rooms"),
        MessageView(Message, db, name="Messages", category="Chat", endpoint="chat_messages"),
        PersonView(Person, db, name="People", category="Chat", endpoint="chat_people"),
        SanctionView(Sanction, db, name="Mutes and bans", category="Chat", endpoint="chat_sanctions"),
    ]
