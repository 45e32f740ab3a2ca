"""Configuration: where it comes from, and that a wrong value ends the start with its name."""

from __future__ import annotations

import json
import os
import stat
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import upgrade
from sqlalchemy import text

from wampflask import ConfigError
from wampflask.apps import create_app
from wampflask.apps.extensions import db
from wampflask.apps.instance import read_secrets
from wampflask.apps.player import media
from wampflask.apps.serve import hold_instance


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INSTANCE", raising=False)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_generated_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "instance"
    first = create_app({"INSTANCE": folder})
    assert mode(folder) == 0o700
    assert mode(folder / "secrets.json") == mode(folder / "ticket.key") == 0o600
    again = create_app({"INSTANCE": folder})
    for key in ("SECRET_KEY", "SECURITY_PASSWORD_SALT"):
        assert first.config[key] == again.config[key]
        assert len(first.config[key]) >= 48
    other = create_app({"INSTANCE": tmp_path / "other"})
    assert other.config["SECRET_KEY"] != first.config["SECRET_KEY"]


def test_everything_in_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        folder = tmp_path / "instance"
        with hold_instance(folder):
            app = create_app({"INSTANCE": folder})
            with app.app_context():
                upgrade()
                db.session.execute(text("SELECT 1"))
                media.save(folder / "media", "a.wav", BytesIO(b"RIFF\0\0\0\0WAVE"), 100)
                db.session.rollback()
                modes = {str(file.relative_to(folder)): mode(file) for file in folder.rglob("*") if file.is_file()}
                db.engine.dispose()
        assert {"wampflask.db", "wampflask.db-wal", "media/a.wav", "serve.lock", "secrets.json"} <= set(modes)
        assert {name for name, bits in modes.items() if bits & 0o077} == set()
        assert mode(folder) == 0o700
    finally:
        os.umask(before)


def test_workers_that_start_together_have_the_same_secrets(tmp_path: Path) -> None:
    found: list[dict[str, str]] = []
    start = threading.Barrier(8)

    def read() -> None:
        start.wait(10)
        found.append(read_secrets(tmp_path))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(secrets == found[0] for secrets in found)
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"SECRET_KEY": "x"}'])
def test_damaged_secrets_are_said_to_be(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"secrets\.json is damaged"):
        create_app({"INSTANCE": tmp_path})


def test_an_instance_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Set INSTANCE to a folder you may write"):
        create_app({"INSTANCE": tmp_path / "file" / "instance"})


def test_mapping_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.py").write_text(
        "WAMPFLASK_PUBLIC_URL = 'http://file'\nWAMP_PORT = 1001\nWAMP_REALM = 'file'\n", encoding="utf-8"
    )
    monkeypatch.setenv("WAMP_PORT", "1002")
    monkeypatch.setenv("WAMP_REALM", "environment")
    app = create_app({"INSTANCE": tmp_path, "WAMP_REALM": "mapping"})
    assert app.extensions["site"].public_url == "http://file"
    assert app.extensions["wamp"].config.port == 1002
    assert app.extensions["wamp"].config.realm == "mapping"


def test_an_empty_variable_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAMP_PORT", "")
    assert create_app({"INSTANCE": str(tmp_path)}).extensions["wamp"].config.port == 8081


def test_the_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTANCE", str(tmp_path / "named"))
    assert create_app().instance_path == str(tmp_path / "named")
    monkeypatch.setenv("INSTANCE", "")
    monkeypatch.chdir(tmp_path)
    assert create_app().instance_path == str(tmp_path / "instance")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("WAMPFLASK_DATABASE_URL", "mysql://root:secret@host/db", "not an address of SQLite or PostgreSQL"),
        ("WAMPFLASK_DATABASE_URL", "nonsense", "not an address"),
        ("WAMPFLASK_SECRET_KEY", "short", "16 characters"),
        ("WAMPFLASK_PUBLIC_URL", "polls.example", "must begin with http"),
        ("WAMPFLASK_HOSTS", "https://polls.example", "without http"),
        ("WAMPFLASK_HOSTS", "polls.example:8080", "without http"),
        ("WAMPFLASK_COOKIE_SECURE", "perhaps", "must be 1 or 0"),
        ("WAMPFLASK_PROXIES", "-1", "not between 0 and 10"),
        ("WAMPFLASK_PROXIES", "one", "not a whole number"),
        ("WAMPFLASK_LOGIN_ATTEMPTS", "often", "not a rate limit"),
        ("WAMPFLASK_BODY_MAX", "12", "not between"),
        ("WAMPFLASK_COLOR", "red", "Unknown configuration: WAMPFLASK_COLOR"),
        ("WAMP_PORT", "http", "WAMP_PORT"),
    ],
)
def test_wrong_values_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        create_app({"INSTANCE": tmp_path, key: value})
    assert key in str(caught.value)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv(key, value)
    with pytest.raises(ConfigError, match=words):
        create_app({"INSTANCE": tmp_path})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_means_the_driver_that_is_there(scheme: str) -> None:
    from wampflask.apps.config import _database_url

    assert _database_url(f"{scheme}://me@host/name", Path()) == "postgresql+psycopg://me@host/name"


@pytest.mark.parametrize(("value", "secure"), [("1", True), ("0", False), (True, True), ("true", True), ("off", False)])
def test_cookies(tmp_path: Path, value: Any, secure: bool) -> None:
    config = create_app({"INSTANCE": tmp_path, "WAMPFLASK_COOKIE_SECURE": value}).config
    for cookie in ("SESSION_COOKIE", "REMEMBER_COOKIE"):
        assert config[f"{cookie}_SECURE"] is secure
        assert config[f"{cookie}_HTTPONLY"] is True
        assert config[f"{cookie}_SAMESITE"] == "Lax"


def test_a_secret_key_of_ones_own(tmp_path: Path) -> None:
    app = create_app({"INSTANCE": tmp_path, "WAMPFLASK_SECRET_KEY": "k" * 32})
    assert app.config["SECRET_KEY"] == "k" * 32
    assert "k" * 32 not in json.loads((tmp_path / "secrets.json").read_text(encoding="utf-8")).values()
