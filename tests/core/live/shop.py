"""A shop's app for tests without a router: items in a database, fragments and values on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from flask_login import LoginManager, UserMixin
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from jinja2 import DictLoader
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from rig.databases import url_in
from wampflask import WAMP


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Item(db.Model):  # type: ignore[name-defined,misc]  # Flask-SQLAlchemy makes it
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    left: Mapped[int] = mapped_column(default=12)


class User(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    id = "7"


def make_app(folder: Path, wamp: WAMP, templates: Mapping[str, str], **config: Any) -> Flask:
    """An app with Flask-Login, Flask-WTF and two items, tea and rum."""
    app = Flask("shop", instance_path=str(folder))
    app.config.update(
        SECRET_KEY="not secret in tests",
        WAMP_TICKET_SECRET="of the tests alone",
        SQLALCHEMY_DATABASE_URI=url_in(folder, "shop"),
        **config,
    )
    app.jinja_env.loader = DictLoader(dict(templates))
    db.init_app(app)
    CSRFProtect(app)
    LoginManager(app).user_loader(lambda _: User())
    with app.app_context():
        db.create_all()
        db.session.add_all([Item(name="tea"), Item(name="rum")])
        db.session.commit()
    wamp.init_app(app)
    return app
