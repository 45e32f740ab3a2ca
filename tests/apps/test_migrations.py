"""The migrations make exactly what the models say, and can be undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from tests.apps.conftest import make
from wampflask.apps.chat.models import Message
from wampflask.apps.db import Base
from wampflask.apps.extensions import db


def test_no_difference_between_models_and_migrations(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_down_and_up_again(app: Flask) -> None:
    with app.app_context():
        downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}
        upgrade()
        assert {"user", "question", "vote", "pick"} <= set(inspect(db.engine).get_table_names())


@pytest.mark.sqlite
def test_what_refers_to_a_rebuilt_table_stays(app: Flask) -> None:
    """SQLite rebuilds a table to take a column away: dropping the old one must not delete a room's messages."""
    rows = (
        "INSERT INTO chat_person VALUES (1, 'visitor:1', 'Anna', 'anna', false, 0, '2025-01-01')",
        "INSERT INTO chat_room VALUES (1, 'den', 'k', 1, 1, 7, '2025-01-01')",
        "INSERT INTO chat_message VALUES (1, 1, 1, 1, 1, 'Anna', 'kept', NULL, '2025-01-01', false, false)",
    )
    with app.app_context():
        downgrade(revision="0004")
        with db.engine.begin() as connection:
            for row in rows:
                connection.execute(text(row))
        upgrade()
        assert db.session.scalars(db.select(Message.text)).all() == ["kept"]
        if db.engine.dialect.name == "sqlite":
            assert db.session.scalar(text("PRAGMA foreign_keys")) == 1


def test_checks_and_keys_have_names(app: Flask) -> None:
    with app.app_context():
        found = inspect(db.engine)
        assert {check["name"] for check in found.get_check_constraints("question")} >= {
            "ck_question_kind",
            "ck_question_state",
            "ck_question_visibility",
            "ck_question_voters_not_negative",
        }
        assert [unique["name"] for unique in found.get_unique_constraints("vote")] == ["uq_vote_question_id_voter"]


@pytest.mark.sqlite
def test_without_migrations_the_site_says_that_it_is_not_ready(tmp_path: Path) -> None:
    app = make(tmp_path / "fresh", WAMPFLASK_DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}")
    answer = app.test_client().get("/healthz")
    assert answer.status_code == 503
    assert answer.json == {"database": "unavailable", "wamp": answer.json["wamp"] if answer.json else ""}
    with app.app_context():
        db.engine.dispose()
