"""The shop: one item, one statement that sells it, committed at once. Each side has the same."""

from __future__ import annotations

import os
import time
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, event, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Item(db.Model):  # type: ignore[name-defined,misc]  # Flask-SQLAlchemy makes it
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    left: Mapped[int]


def make_app() -> Flask:
    """An app on the database in ``SHOP_FOLDER``, which the first process makes."""
    app = Flask(__name__, instance_path=os.environ["SHOP_FOLDER"])
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.environ['SHOP_FOLDER']}/shop.db"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": {"timeout": 30}}
    db.init_app(app)
    return app


def make_database() -> None:
    """Called once, before there are workers."""
    with make_app().app_context():
        db.create_all()
        db.session.add(Item(id=1, name="A tin of green tea", left=1_000_000))
        db.session.commit()


def sell() -> int:
    """What is left."""
    selling = update(Item).where(Item.id == 1).values(left=Item.left - 1).returning(Item.left)
    left: int = db.session.execute(selling).scalar_one()
    db.session.commit()
    return left


def sold(left: int, moment: float) -> dict[str, Any]:
    """What the poster wants to know: ``left`` was committed at ``moment``, and this process sold it."""
    return {"left": left, "at": moment, "pid": os.getpid()}


now = time.time


@event.listens_for(Engine, "connect")
def _tune(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


if __name__ == "__main__":
    make_database()
