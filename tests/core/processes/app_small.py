"""The app that the tests serve in every way there is. ``DEMO_PREFIX`` sets its URIs apart from other tests'."""

from __future__ import annotations

import os
import time

import click
from flask import Flask

from wampflask import WAMP

PREFIX = os.environ["DEMO_PREFIX"]

wamp = WAMP()


@wamp.register(f"{PREFIX}.pid")
def get_pid() -> int:
    return os.getpid()


@wamp.register(f"{PREFIX}.slow")
def wait_for(seconds: float) -> int:
    wamp.publish(f"{PREFIX}.started", os.getpid())
    time.sleep(seconds)
    return os.getpid()


@wamp.register(f"{PREFIX}.fail")
def fail() -> None:
    raise RuntimeError("the handler's own secret")


@wamp.subscribe(f"{PREFIX}.event")
def hear(value: str) -> None:
    wamp.publish_later(f"{PREFIX}.heard", os.getpid(), value)


@wamp.subscribe(f"{PREFIX}.bad")
def hear_badly() -> None:
    raise RuntimeError("the subscriber's own secret")


def create_app() -> Flask:
    app = Flask(__name__, instance_path=os.path.join(os.getcwd(), "instance"))  # noqa: PTH109, PTH118 - Flask wants text
    app.config.update({key: value for key, value in os.environ.items() if key.startswith("WAMP_")})
    wamp.init_app(app)

    @app.get("/pid")
    def show_pid() -> dict[str, int]:
        return {"served_by": os.getpid(), "called": wamp.call(f"{PREFIX}.pid")}

    @app.get("/status")
    def show_status() -> dict[str, object]:
        return {"state": wamp.status.state.value, "session": wamp.status.session}

    @app.cli.command("idle")
    def idle() -> None:
        click.echo(f"state {wamp.status.state.value}")

    @app.cli.command("use")
    def use() -> None:
        click.echo(f"called {wamp.call(f'{PREFIX}.pid')}")

    @app.cli.command("serve-once")
    def serve_once() -> None:
        """Serve until somebody has called; connected first without serving, by a publication."""
        wamp.publish_later(f"{PREFIX}.started", os.getpid())
        wamp.connect()
        while not wamp.status.counters.get("invoked"):
            time.sleep(0.01)

    if os.environ.get("DEMO_CONNECT_AT_IMPORT"):
        with app.app_context():
            wamp.connect()
    return app


app = create_app()
