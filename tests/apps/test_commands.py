"""``flask site init``: everything that a new folder needs, and nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from tests.apps.conftest import make, populate
from tests.apps.visiting import Visitor
from wampflask.apps.extensions import db
from wampflask.apps.monitor.alerts.models import AlertRule, Metric
from wampflask.apps.polls import service
from wampflask.apps.polls.models import Visibility
from wampflask.in_memory import in_memory


def init(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=["site", "init", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_first_start_and_a_second_one(tmp_path: Path) -> None:
    app = make(tmp_path / "new")
    first = json.loads(init(app, "--json"))
    assert first["admin"]["email"] == "admin@localhost"
    assert first["questions"] == 4
    second = json.loads(init(app, "--json"))
    assert second == {**first, "admin": {"email": "admin@localhost", "password": None}}
    with in_memory(app) as realm:
        admin = Visitor(app).log_in(("admin@localhost", first["admin"]["password"]))
        assert admin.get("/admin/").status_code == 200
        assert admin.get("/polls/").text.count("data-question=") == 4
        assert realm.published == []
    assert first["admin"]["password"] not in "".join(
        path.read_bytes().decode("latin-1") for path in (tmp_path / "new").iterdir() if path.is_file()
    )
    with app.app_context():
        assert {found.visibility for found in service.list_questions(db.session(), limit=50)} == set(Visibility)
        db.engine.dispose()


def test_a_new_site_watches_for_what_everybody_wants_to_hear_of(tmp_path: Path) -> None:
    app = make(tmp_path / "new")
    init(app)
    with app.app_context():
        offline, disk = db.session.scalars(select(AlertRule).order_by(AlertRule.id))
        assert (offline.metric, offline.seconds, offline.enabled) == (Metric.OFFLINE, 60, True)
        assert (disk.metric, disk.threshold, disk.enabled) == (Metric.DISK, 90, True)
        db.session.delete(disk)
        db.session.commit()
    init(app)
    with app.app_context():
        assert db.session.scalars(select(AlertRule.name)).all() == ["Offline for a minute"]
        db.engine.dispose()


def test_deleted_samples_stay_deleted(tmp_path: Path) -> None:
    app = make(tmp_path / "new")
    init(app)
    with app.app_context(), in_memory(app):
        for found in service.list_questions(db.session(), limit=50):
            service.delete_question(db.session(), found.id)
        db.session.commit()
    assert json.loads(init(app, "--json"))["questions"] == 0
    with app.app_context():
        db.engine.dispose()


def test_for_people(tmp_path: Path) -> None:
    app = make(tmp_path / "new")
    text = init(app, "--admin", "boss@example.org")
    assert "Admin: boss@example.org" in text
    assert "shown only once" in text
    assert "Password" not in init(app)
    with app.app_context():
        db.engine.dispose()


def test_an_admin_of_ones_own_is_kept(tmp_path: Path) -> None:
    app = make(tmp_path / "new")
    populate(app)
    found = json.loads(init(app, "--json"))
    assert found["admin"] == {"email": "admin@example.org", "password": None}
    assert found["questions"] == 0
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("email", ["nonsense", "a b@example.org"])
def test_a_wrong_address_is_one_line(tmp_path: Path, email: str) -> None:
    app = make(tmp_path / "new")
    result = app.test_cli_runner().invoke(args=["site", "init", "--admin", email])
    assert result.exit_code == 1
    assert "not an e-mail address" in result.output
    with app.app_context():
        db.engine.dispose()


def test_the_first_admins_password_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(tmp_path / "new")
    monkeypatch.setenv("WAMPFLASK_ADMIN_PASSWORD", "short")
    refused = app.test_cli_runner().invoke(args=["site", "init"])
    assert refused.exit_code == 1
    assert "WAMPFLASK_ADMIN_PASSWORD needs 10 characters" in refused.output
    monkeypatch.setenv("WAMPFLASK_ADMIN_PASSWORD", "from the environment")
    assert "from the environment" not in init(app)
    with in_memory(app):
        visitor = Visitor(app).log_in(("admin@localhost", "from the environment"))
        assert visitor.get("/admin/").status_code == 200
    with app.app_context():
        db.engine.dispose()
