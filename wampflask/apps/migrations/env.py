"""How Alembic reaches the site's database: through the current app, with SQLite's tables rebuilt where they must be."""

from __future__ import annotations

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Enum, TypeDecorator

from wampflask.apps.db import Base


def render_item(kind: str, item: Any, _autogen: Any) -> Any:
    """Write our own column types as what they are in the database, so that old migrations need no code of today."""
    if kind != "type":
        return False
    if isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    if isinstance(item, Enum):
        values = ", ".join(map(repr, item.enums))
        return f"sa.Enum({values}, name={item.name!r}, native_enum=False, create_constraint=True, length={item.length})"
    return False


options: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "render_as_batch": True,
    "render_item": render_item,
}

if context.is_offline_mode():
    context.configure(url=current_app.config["SQLALCHEMY_DATABASE_URI"], literal_binds=True, **options)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # A table that is rebuilt is dropped, which must not delete what refers to it.
            connection.connection.execute("PRAGMA foreign_keys=OFF")
        context.configure(connection=connection, **options)
        with context.begin_transaction():
            context.run_migrations()
        connection.invalidate()  # the next one checks foreign keys again
