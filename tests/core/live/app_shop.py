"""A shop in two processes or more: what the tests of live things serve. ``SHOP_AHEAD``: seconds its clock is wrong."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from flask import Flask, render_template_string, request
from flask_sqlalchemy import SQLAlchemy
from jinja2 import DictLoader
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


@wamp.value("shop.till", allow="everyone", per="role")
def till(role: str) -> dict[str, str]:
    return {"for": "the takings of today" if role == "admin" else "nothing to see"}


@wamp.fragment("card.html", allow="everyone", of=Item)
def card(item: str) -> dict[str, object]:
    return {"item": db.get_or_404(Item, item)}


@wamp.fragment("card.html", allow="admin", of=Item)
def ledger(item: str) -> dict[str, object]:
    return {"item": db.get_or_404(Item, item), "note": "the takings of today"}


@wamp.value("shop.echo.<item>", allow="everyone")
def echo(item: str) -> str:
    return item


@wamp.register("shop.wait")
def wait(item: str) -> bool:
    """Until the test says so; then sell one."""
    folder = Path(os.environ["SHOP_FOLDER"])
    (folder / f"waiting-{item}").touch()
    deadline = time.monotonic() + 60
    while not (folder / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    _sell(item)
    return True


def create_app() -> Flask:
    app = Flask(__name__, instance_path=os.environ["SHOP_FOLDER"])
    app.config.update({key: value for key, value in os.environ.items() if key.startswith("WAMP_")})
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.environ['SHOP_FOLDER']}/shop.db"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": {"timeout": 30}}
    db.init_app(app)
    wamp.init_app(app)

    app.jinja_env.loader = DictLoader({"card.html": "<b>{{ item.name }}: {{ item.left }}</b>{{ note }}"})

    @app.get("/pid")
    def show_pid() -> dict[str, object]:
        status = wamp.status
        held = len(app.extensions["wamp"].engine._entries)
        return {
            "pid": os.getpid(),
            "state": status.state.value,
            "session": status.session,
            "counters": dict(status.counters),
            "held": held,
        }

    @app.get("/fragments")
    def fragments() -> str:
        return render_template_string("{{ fragment('card', item='tea') }}{{ fragment('ledger', item='tea') }}")

    @app.get("/sell/<item>")
    def sell(item: str) -> dict[str, bool]:
        _sell(item)
        return {"sold": True}

    @app.get("/rush")
    def rush() -> dict[str, bool]:
        """Thirty commits at random, or as many of what one likes as fast as they go."""
        count, item = request.args.get("count", type=int), request.args.get("item")
        for _ in range(count or 30):
            _sell(item or random.choice(ITEMS))
            time.sleep(0 if count else random.random() * 0.01)
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
    till.changed()
    db.session.get_one(Item, item).left = Item.left - 1
    db.session.commit()


app = create_app()
