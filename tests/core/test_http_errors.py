"""The library's errors as HTTP answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from wampflask import WAMP, CallFailed, NotConnected, QueueFull, WampError, WampTimeout
from wampflask.testing import in_memory


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return Flask("answers", instance_path=str(tmp_path))


@pytest.fixture
def wamp(app: Flask) -> Iterator[WAMP]:
    wamp = WAMP(app)

    @app.get("/away")
    def away() -> str:
        raise NotConnected("unix:/secret/path")

    @app.get("/full")
    def full() -> str:
        raise QueueFull("1000 wait")

    @app.get("/late")
    def late() -> str:
        raise WampTimeout("After 10 s demo.a had not answered.")

    @app.get("/other")
    def other() -> str:
        raise CallFailed("demo.error")

    with in_memory(app):
        yield wamp


@pytest.fixture
def client(app: Flask, wamp: WAMP) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize(("path", "status", "retry"), [("/away", 503, "2"), ("/full", 503, "2"), ("/late", 504, None)])
def test_each_error_has_its_status(client: FlaskClient, path: str, status: int, retry: str | None) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry)
    assert "secret" not in answer.text


def test_the_log_has_the_cause(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/away")
    assert "NotConnected at GET /away: unix:/secret/path" in caplog.text


def test_other_errors_are_the_apps(app: Flask, client: FlaskClient) -> None:
    assert client.get("/other").status_code == 500
    app.testing = True
    with pytest.raises(CallFailed):
        client.get("/other")


def own(error: WampError) -> tuple[str, int]:
    return type(error).__name__, 418


@pytest.mark.parametrize("kind", [NotConnected, WampError])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_the_apps_own_handler_comes_first(app: Flask, kind: type[WampError], first: bool) -> None:
    steps: list[Callable[[], object]] = [lambda: app.register_error_handler(kind, own), lambda: WAMP(app)]
    for step in steps if first else reversed(steps):
        step()

    @app.get("/away")
    def away() -> str:
        raise NotConnected("away")

    with in_memory(app):
        answer = app.test_client().get("/away")
    assert (answer.status_code, answer.text) == (418, "NotConnected")


def test_a_blueprints_own_handler_comes_first(app: Flask, wamp: WAMP) -> None:
    part = Blueprint("part", __name__)
    part.register_error_handler(WampError, own)

    @part.get("/part")
    def away() -> str:
        raise WampTimeout("late")

    app.register_blueprint(part)
    assert app.test_client().get("/part").status_code == 418


def test_the_apps_page_for_http_errors_is_used(app: Flask, client: FlaskClient) -> None:
    @app.errorhandler(HTTPException)
    def page(error: HTTPException) -> tuple[str, int]:
        return f"our page for {error.code}", error.code or 500

    assert client.get("/away").text == "our page for 503"
