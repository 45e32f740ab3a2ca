"""A shop in two processes or more: what the tests of live things serve. ``SHOP_AHEAD``: seconds its clock is wrong."""

from __future__ import annotations

import os
import random
import signal
import time

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from wampflask import WAMP

AHEAD = float(os.environ.get("SHOP_AHEAD", "0"))
ITEMS = ("tea", "rum", "ale", "gin", "rye")

if AHEAD:
    _time = time.time
    time.time = lambda: _time() + AHEAD


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)
wamp = WAMP()


class Item(db.Model):  # type: ignore[name-defined,misc]  # Flask-SQLAlchemy makes it
    name: Mapped[str] = mapped_column(primary_key=True)
    left: Mapped[int] = mapped_column(default=0)


@wamp.value("shop.stock.<item>", allow="everyone")
def stock(item: str) -> dict[str, int]:
    left = db.session.get_one(Item, item).left
    time.sleep(random.random() * float(os.environ.get("SHOP_SLOW", "0")))
    return {"left": left}


def create_app() -> Flask:
    app = Flask(__name__, instance_path=os.environ["SHOP_FOLDER"])
    app.config.update({key: value for key, value in os.environ.items() if key.startswith("WAMP_")})
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.environ['SHOP_FOLDER']}/shop.db"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": {"timeout": 30}}
    db.init_app(app)
    wamp.init_app(app)

    @app.get("/pid")
    def show_pid() -> dict[str, object]:
        return {"pid": os.getpid(), "state": wamp.status.state.value}

    @app.get("/sell/<item>")
    def sell(item: str) -> dict[str, bool]:
        _sell(item)
        return {"sold": True}

    @app.get("/rush")
    def rush() -> dict[str, bool]:
        """Thirty commits at random."""
        for _ in range(30):
            _sell(random.choice(ITEMS))
            time.sleep(random.random() * 0.01)
        return {"sold": True}

    @app.get("/die/<item>")
    def die(item: str) -> dict[str, bool]:
        """Commit, and be killed before anybody is told."""
        event.listen(Session, "after_commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        _sell(item)
        return {"sold": True}

    return app


def _sell(item: str) -> None:
    stock.changed(item=item)
    db.session.execute(db.update(Item).where(Item.name == item).values(left=Item.left - 1))
    db.session.commit()


app = create_app()
