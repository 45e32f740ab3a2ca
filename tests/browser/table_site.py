"""The least of an app with a bound table: a model, one line that binds it, and one line of Jinja."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

from flask import Flask, Response, render_template_string, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.serving import make_server

from wampflask import WAMP, Caller, Identity
from wampflask.testing import RouterNode

PAGE = """<!doctype html><html lang="en"><head><title>stock</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">{{ wamp_head() }}</head><body><main>%s</main></body></html>"""


class Base(DeclarativeBase):
    """Of this app."""


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Item(Base):
    __tablename__ = "item"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    left: Mapped[int] = mapped_column(default=0)
    price: Mapped[float | None]
    sold: Mapped[bool] = mapped_column(default=False)
    since: Mapped[date | None]
    colour: Mapped[Colour | None]
    owner: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Todo(Base):
    __tablename__ = "todo"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(20))
    team_id: Mapped[int | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


def is_open(_caller: Caller, action: str, row: Item) -> bool:
    """Nobody deletes what is locked, or changes it."""
    return row.owner != "locked" or action == "create"


class TableSite:
    """``url``; ``jinja`` is the page's main part. ``db`` and ``app`` for what happens elsewhere."""

    def __init__(self, node: RouterNode, folder: Path) -> None:
        self.jinja = "{{ live_table(stock) }}"
        self.app = app = Flask("stock", instance_path=str(folder))
        app.config.update(node.config, SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'stock.db'}")
        self.db = SQLAlchemy(app, model_class=Base)
        wamp = WAMP(app)
        fields = ("name", "left", "price", "sold", "since", "colour")
        self.bound = [
            wamp.bind(Item, fields=fields, can_write=is_open),
            wamp.bind(Item, fields=fields, table="shown", writers="user"),
            wamp.bind(Todo, fields=("text", "team_id"), group="team_id", claim="team"),
        ]
        stock, shown, todos = self.bound
        wamp.identify(
            lambda: Identity("user", 1, team=request.args.getlist("team") or request.cookies.get("team", "0"))
        )
        page = {"stock": stock, "shown": shown, "todos": todos}
        app.add_url_rule("/", "page", lambda: render_template_string(PAGE % self.jinja, **page))
        app.after_request(lambda response: self._protect(response, wamp, node))
        with app.app_context():
            Base.metadata.create_all(self.db.engine)
            wamp.connect()
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def do(self, work: Callable[[Any], Any]) -> Any:
        """Work in a transaction of its own, as a view or a command would; returns what ``work`` does."""
        with self.app.app_context():
            found = work(self.db.session())
            self.db.session.commit()
            return found

    def stop(self) -> None:
        self.app.extensions["wamp"].stop()
        for bound in self.bound:
            bound.unwatch()
        with self.app.app_context():
            self.db.engine.dispose()

    @staticmethod
    def _protect(response: Response, wamp: WAMP, node: RouterNode) -> Response:
        origin = node.ws_url.rpartition("/")[0]
        policy = f"default-src 'self'; script-src 'self' {wamp.csp_hash}; connect-src 'self' {origin}; img-src data:"
        response.headers["Content-Security-Policy"] = policy
        return response


@contextmanager
def serving(node: RouterNode, folder: Path) -> Iterator[TableSite]:
    """The app, answering requests in threads."""
    site = TableSite(node, folder)
    thread = threading.Thread(target=site.server.serve_forever, name="table site")
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        thread.join()
        site.server.server_close()
        site.stop()
