"""SQLite as several workers need it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from tests.apps.visiting import Visitor, ask
from wampflask import impersonal
from wampflask.apps import db as settings
from wampflask.apps.errors import Invalid
from wampflask.apps.extensions import db
from wampflask.apps.polls import voting
from wampflask.in_memory import MemoryRealm
from wampflask.reading import is_reading, reading, writing

pytestmark = pytest.mark.sqlite


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 1), ("busy_timeout", 5000), ("foreign_keys", 1)]
)
def test_pragmas(app: Flask, pragma: str, value: object) -> None:
    with app.app_context():
        assert db.session.execute(text(f"PRAGMA {pragma}")).scalar() == value


def test_pages_do_not_wait_for_a_writer(app: Flask, realm: MemoryRealm) -> None:
    question, (red, *_) = ask(app)
    visitor = Visitor(app)
    voted, shown = threading.Event(), threading.Event()

    def hold_the_lock() -> None:
        with app.app_context():
            voting.vote(db.session(), question, "visitor:slow", [red])
            voted.set()
            assert shown.wait(10)
            db.session.commit()

    writer = threading.Thread(target=hold_the_lock)
    writer.start()
    assert voted.wait(10)
    for path in ("/", "/polls/", f"/polls/{question}/", f"/polls/{question}/results"):
        assert visitor.get(path).status_code == 200
    assert visitor.snapshot(question)["voters"] == 0
    shown.set()
    writer.join()
    assert visitor.snapshot(question)["voters"] == 1


@pytest.mark.parametrize(("context", "others_may_write"), [(reading, True), (writing, False), (nullcontext, False)])
def test_only_what_may_write_takes_the_lock(
    app: Flask, context: Callable[[], AbstractContextManager[None]], others_may_write: bool
) -> None:
    with app.app_context(), context():
        db.session.execute(text("SELECT 1"))
        other = sqlite3.connect(str(db.engine.url.database), timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            assert not others_may_write
        else:
            assert others_may_write
        finally:
            other.close()


def test_who_waits_too_long_for_the_lock_is_told(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "BUSY_TIMEOUT", 200)
    with app.app_context():
        other = sqlite3.connect(str(db.engine.url.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            db.session.execute(text("SELECT 1"))
        db.session.rollback()
        other.execute("ROLLBACK")
        other.close()
        db.session.execute(text("SELECT 1"))


def test_the_turn_passes_on_whatever_happens(app: Flask) -> None:
    question, (red, *_) = ask(app)
    for _ in range(3):  # more than there is to take, were one not given back
        with app.app_context():
            with pytest.raises(Invalid):
                voting.vote(db.session(), question, "visitor:a", [])
            db.session.rollback()
            with db.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                connection.invalidate()
            with db.engine.begin() as connection:
                connection.execute(text("SELECT 1"))
    with app.app_context():
        voting.vote(db.session(), question, "visitor:a", [red])


FORK = """
import os, sys
from sqlalchemy import text
from wampflask.apps import create_app
from wampflask import impersonal
from wampflask.apps import db as settings
from wampflask.apps.errors import Invalid
from wampflask.apps.extensions import db

with create_app({"INSTANCE": sys.argv[1]}).app_context():
    db.session.execute(text("SELECT 1"))
    db.session.remove()
    assert db.engine.pool.checkedin() == 1
    child = os.fork()
    if child == 0:
        os._exit(db.engine.pool.checkedin())
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_child_opens_its_own_connection(instance: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FORK, instance], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_pages_and_what_is_read_for_all_take_no_lock_and_leave_no_trace(app: Flask, realm: MemoryRealm) -> None:
    seen: list[bool] = []

    def look() -> str:
        seen.append(is_reading())
        return ""

    app.add_url_rule("/seen", "seen", look, methods=["GET", "POST"])
    app.extensions["csrf"].exempt(app.view_functions["seen"])
    client = app.test_client()
    client.get("/seen")
    client.post("/seen")
    with app.app_context():
        impersonal.run(app, "a test", lambda: seen.append(is_reading()))
    assert seen == [True, False, True]
    assert not is_reading()
