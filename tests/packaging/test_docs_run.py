"""The documents' pieces of Python are run: a page's blocks in turn, with an app, a database and a realm in memory.

Whole programs that are quoted from ``examples/`` have their tests there; the README's and start.md's are run as apps.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest

from wampflask.starter import make
from wampflask.testing import in_memory

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```python\n(?!# examples/)(.*?)^```", re.MULTILINE | re.DOTALL)

TAKEN_FOR_GRANTED = """
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask, Response, abort, current_app, redirect, render_template, request
from flask_login import LoginManager, UserMixin, current_user
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, text, update
from sqlalchemy.orm import Mapped, mapped_column

import wampflask
from wampflask import WAMP, CallOptions, Identity, Permission, caller

app = Flask("shop", instance_path=INSTANCE)
app.secret_key = "of a test, and long enough for it"
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
db, logins, wamp = SQLAlchemy(app), LoginManager(app), WAMP(app)
logins.user_loader(lambda number: None)

class Item(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40))
    left = db.Column(db.Integer)

class Todo(db.Model):
    __table_args__ = {"sqlite_autoincrement": True}
    id = db.Column(db.Integer, primary_key=True)
    team_id = db.Column(db.Integer)
    text = db.Column(db.String(200))
    done = db.Column(db.Boolean)
    version = db.Column(db.Integer, nullable=False)
    __mapper_args__ = {"version_id_col": version}

def create_app(config=None):
    return app
"""

OF_PAGES = {
    "README.md": "del Item, db, wamp",
    "browser.md": "response = Response()",
    "chat.md": """
service = SimpleNamespace(describe=lambda message: {"id": 1, "text": message})
room, message = SimpleNamespace(key="k1", label="kitchen"), "hello"
""",
    "ops.md": "error = ValueError('of a test')",
    "permissions.md": """
member, todo, caller = 7, {"text": "milk"}, SimpleNamespace(session=realm.page().session)
wamp.permit(Permission("todo.confirm.{session}", register="user"))
asked = realm.page(user=7)
asked.register(f"todo.confirm.{asked.session}", lambda question: True)
page = asked.session
""",
    "settings.md": """
limits, pool = SimpleNamespace(parse=lambda text: SimpleNamespace(amount=30)), SimpleNamespace(resize=print)
current_user = SimpleNamespace(email="ann@shop.example")
""",
    "tasks.md": """
film = SimpleNamespace(id=1)
add, total = (lambda month: None), (lambda: 78)
""",
}
"""What a page's pieces need besides."""

NOT_HERE = {
    "bridge.md": "needs a bridge: tests/browser/test_bridge.py runs every block",
    "clients.md": "a program that needs a router: tests/browser/test_examples.py",
    "demos.md": "whole files of the site: tests/apps/demo",
    "start.md": "below, in the app that it is about",
}
"""Pages whose Python is run elsewhere."""


def blocks(page: Path) -> list[str]:
    return [dedent(code) for code in FENCE.findall(page.read_text(encoding="utf-8"))]


PAGES = [
    page
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    if blocks(page) and page.name not in NOT_HERE
]


def run(code: str, name: str, names: dict[str, Any]) -> None:
    exec(compile(code, name, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pieces_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("piece")
    monkeypatch.setitem(sys.modules, "piece", module)  # SQLAlchemy looks up annotations there
    monkeypatch.setitem(sys.modules, "app", module)
    names = module.__dict__
    names["INSTANCE"] = str(tmp_path)
    run(TAKEN_FOR_GRANTED, "taken for granted", names)
    app, db = names["app"], names["db"]
    with in_memory(app) as realm, app.test_request_context():
        names["realm"] = realm
        run(OF_PAGES.get(page.name, ""), f"for {page.name}", names)
        given: dict[str, Any] = {name: names[name] for name in ("app", "caller", "db", "wamp") if name in names}
        for number, code in enumerate(blocks(page), 1):
            run(code, f"{page.name}, block {number}", names)
            db.create_all()  # of models that it has declared
            names.update(given)  # a piece may make an app of its own


def test_what_start_adds_to_the_new_app_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of start.md, in the app that ``python -m wampflask new`` has made."""
    make(tmp_path)
    shown, *added = blocks(ROOT / "docs" / "start.md")
    source = (tmp_path / "app.py").read_text(encoding="utf-8")
    for node in ast.parse(shown).body:
        assert ast.unparse(node) in {ast.unparse(there) for there in ast.parse(source).body}
    (tmp_path / "new_app.py").write_text("from wampflask import Permission\n" + source + "\n".join(added))
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("new_app")
    client = module.app.test_client()
    with in_memory(module.app) as realm:
        page = realm.page()
        assert page.call("notes.count") == 0
        client.post("/", data={"text": "milk"})
        assert page.call("notes.count") == 1
        page.subscribe("notes.bell")
        client.post("/bell")
        assert [event.args for event in page.heard] == [["Dinner!"]]
        assert "milk" in client.get("/").text


def test_a_page_that_is_run_elsewhere_exists() -> None:
    assert {page.name for page in (ROOT / "docs").glob("*.md")} >= NOT_HERE.keys()
