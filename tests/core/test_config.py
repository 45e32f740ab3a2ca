"""``WAMP_*`` keys: read once, checked at start."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from wampflask import WAMP, ConfigError, WampError
from wampflask.config import Config
from wampflask.router.lint import lint

SECRET = "s" * 32


def read(tmp_path: Path, **values: Any) -> Config:
    return Config.from_mapping({"WAMP_TICKET_SECRET": SECRET, **values}, tmp_path)


def test_defaults_point_into_the_instance_folder(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert config.url == f"unix:{tmp_path}/crossbar/backend.sock"
    assert (config.realm, config.port, config.call_timeout) == ("wampflask", 8081, 10)


def test_the_librarys_tables_are_beside_the_apps_file_or_in_its_server(tmp_path: Path) -> None:
    server = "postgresql+psycopg://db/shop"
    assert read(tmp_path, SQLALCHEMY_DATABASE_URI="sqlite:///shop.db").database == f"sqlite:///{tmp_path}/wamp.db"
    assert read(tmp_path, SQLALCHEMY_DATABASE_URI=server).database == server
    assert read(tmp_path, SQLALCHEMY_DATABASE_URI=server, WAMP_DATABASE="sqlite:////a.db").database == "sqlite:////a.db"


def test_text_from_the_environment_is_read_as_numbers(tmp_path: Path) -> None:
    config = read(tmp_path, WAMP_PORT="9000", WAMP_CALL_TIMEOUT="0.5", OTHER="x")
    assert (config.port, config.call_timeout) == (9000, 0.5)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("WAMP_PORT", "http", "WAMP_PORT='http' is not a whole number"),
        ("WAMP_PORT", 0, "WAMP_PORT=0 is not between 1 and 65535"),
        ("WAMP_PORT", True, "WAMP_PORT=True is not a whole number"),
        ("WAMP_CALL_TIMEOUT", "soon", "WAMP_CALL_TIMEOUT='soon' is not a number"),
        ("WAMP_CALL_TIMEOUT", "nan", "not between"),
        ("WAMP_URL", "http://localhost", "WAMP_URL='http://localhost' is not a router's address"),
        ("WAMP_URL", "rs://localhost", "not a router's address"),
        ("WAMP_INTERFACE", "everywhere", "0.0.0.0 for every network"),
        ("WAMP_PUBLIC_URL", "http://x", "must begin with ws:// or wss://"),
        ("WAMP_DATABASE", "shop.db", "WAMP_DATABASE='shop.db' is not a database's address"),
        ("WAMP_DATABASE", "sqlite://", "in memory, where other workers cannot see it"),
        ("WAMP_RELEASE", "1.0\n", "is not a name of at most 100 characters"),
        ("WAMP_RELEASE", "x" * 101, "is not a name of at most 100 characters"),
        ("WAMP_REALM", "My Realm", "WAMP_REALM='My Realm'"),
        ("WAMP_TICKET_SECRET", "short", "16 characters or more"),
        ("WAMP_CALL_TIMEUOT", 3, "Unknown configuration: WAMP_CALL_TIMEUOT"),
    ],
)
def test_wrong_values_are_refused_by_name(tmp_path: Path, key: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, **{key: value})
    assert message in str(refused.value)


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = Config.from_mapping({}, tmp_path)
    assert Config.from_mapping({}, tmp_path).ticket_secret == first.ticket_secret
    assert stat.S_IMODE((tmp_path / "ticket.key").stat().st_mode) == 0o600
    assert first.ticket_secret not in repr(first)


def test_init_app_reads_once_and_refuses_a_second_wamp(tmp_path: Path) -> None:
    app = Flask(__name__, instance_path=str(tmp_path))
    app.config["WAMP_PORT"] = 9001
    wamp = WAMP(app)
    app.config["WAMP_PORT"] = "broken"
    with app.app_context():
        assert wamp.status.state.value == "idle"
    with pytest.raises(WampError, match="has a WAMP already"):
        WAMP(app)


def test_the_environment_counts_where_the_app_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAMP_PORT", "9001")
    monkeypatch.setenv("WAMP_REALM", "environment")
    monkeypatch.setenv("WAMP_URL", "")
    app = Flask(__name__, instance_path=str(tmp_path))
    app.config["WAMP_REALM"] = "config"
    WAMP(app)
    config = app.extensions["wamp"].config
    assert (config.port, config.realm, config.url) == (9001, "config", f"unix:{tmp_path}/crossbar/backend.sock")
    monkeypatch.setenv("WAMP_PROT", "9001")
    with pytest.raises(ConfigError, match="WAMP_PROT"):
        WAMP(Flask(__name__, instance_path=str(tmp_path)))


@pytest.mark.parametrize(
    ("keys", "interface", "origins"),
    [
        ({}, "127.0.0.1", ["http://*:8080", "http://localhost:*", "http://127.0.0.1:*"]),
        ({"PORT": 5000, "WAMP_INTERFACE": "0.0.0.0"}, "0.0.0.0", ["http://*:5000"]),
        (
            {"WAMP_INTERFACE": "0.0.0.0", "DEBUG": True, "WAMP_ORIGINS": "https://a.example"},
            "0.0.0.0",
            ["http://*:8080", "http://localhost:*", "http://127.0.0.1:*", "https://a.example:443"],
        ),
    ],
)
def test_the_router_listens_on_this_machine_and_lets_its_pages_in_unless_told_otherwise(
    tmp_path: Path, keys: dict[str, Any], interface: str, origins: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_DEBUG", str(int("DEBUG" in keys)))
    app = Flask(__name__, instance_path=str(tmp_path))
    app.config.update(keys)
    WAMP(app)
    result = app.test_cli_runner().invoke(args=["wamp", "router", "render"])
    assert result.exit_code == 0, result.output
    rendered = json.loads(Path(result.output.strip()).read_text())
    browsers = rendered["workers"][0]["transports"][1]
    assert browsers["endpoint"]["interface"] == interface
    assert browsers["paths"]["ws"]["options"]["allowed_origins"] == origins
    assert lint(rendered) == []


def test_a_port_of_the_pages_that_is_none_is_refused(tmp_path: Path) -> None:
    app = Flask(__name__, instance_path=str(tmp_path))
    app.config["PORT"] = "http"
    WAMP(app)
    result = app.test_cli_runner().invoke(args=["wamp", "router", "render"])
    assert (result.exit_code, "PORT='http' is not a whole number" in result.output) == (1, True)


def test_an_app_without_wamp_is_told_what_is_missing() -> None:
    with Flask(__name__).app_context(), pytest.raises(WampError, match="did you forget"):
        WAMP().publish("demo.ping")
