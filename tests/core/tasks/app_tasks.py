"""An app with a queue, served and worked by real processes. ``TASKS_FOLDER``: where it leaves its traces."""

from __future__ import annotations

import os
import time
from pathlib import Path

from flask import Flask, render_template_string

from wampflask import WAMP, CallOptions, Cancelled, Permission, progress
from wampflask.tasks import Task

FOLDER = Path(os.environ["TASKS_FOLDER"])
PAGE = """<!doctype html><html lang="en"><head><title>tasks</title>
<link rel="icon" href="data:,">{{ wamp_head() }}</head>
<body><main>{{ task_progress(task) }}</main></body></html>"""

wamp = WAMP()
wamp.permit(Permission("page.work.{session}", register=("visitor", "user", "admin")))
video = wamp.queue("video")


def note(line: str) -> None:
    with (FOLDER / "traces").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


@wamp.register("shop.double", allow="everyone")
def double(value: int) -> int:
    return 2 * value


@wamp.register("shop.count", allow="everyone")
def count(to: int) -> str:
    for number in range(to):
        progress(number / to, f"step {number}")
    return "done"


@wamp.register("shop.endless", allow="everyone")
def work_until_cancelled() -> None:
    try:
        while True:
            progress(0.5)
            time.sleep(0.02)
    except Cancelled:
        note("endless was cancelled")
        raise


@video.task("encode", retries=1)
def encode(name: str) -> str:
    """Until the test says so."""
    note(f"{name} {os.getpid()}")
    while not (FOLDER / f"go-{name}").exists():
        progress(0.4, f"Converting {name}")
        time.sleep(0.02)
    wamp.publish("shop.converted", name)
    return f"{name}, and {wamp.call('shop.double', 21)}"


@video.task("once")
def once(name: str) -> None:
    encode(name)


def create_app() -> Flask:
    app = Flask(__name__, instance_path=str(FOLDER))
    app.config.update({key: value for key, value in os.environ.items() if key.startswith("WAMP_")})
    wamp.init_app(app)

    @app.get("/append/<kind>/<name>")
    def append(kind: str, name: str) -> dict[str, str]:
        return {"id": video.append(kind, name).id}

    @app.get("/status/<task>")
    def status(task: str) -> dict[str, object]:
        found = Task(task, "video", "").status()
        return {"state": found.state, "fraction": found.fraction, "words": found.words, "attempt": found.attempt}

    @app.get("/ask/<int:session>")
    def ask(session: int) -> dict[str, object]:
        heard: list[object] = []
        result = wamp.call(f"page.work.{session}", 3, options=CallOptions(on_progress=heard.append))
        return {"heard": heard, "result": result}

    @app.get("/result/<task>")
    def result(task: str) -> dict[str, object]:
        return {"result": Task(task, "video", "").result(timeout=5)}

    @app.get("/page/<task>")
    def page(task: str) -> str:
        return render_template_string(PAGE, task=task)

    return app


app = create_app()
