"""The app whose bridge the tests use with two workers. ``DEMO_FOLDER`` has a line for each call that ran."""

from __future__ import annotations

import os
import time
from pathlib import Path

from flask import Flask, Response

from wampflask import WAMP, CallFailed, Permission, bridge, caller
from wampflask._current import current_client
from wampflask.jobs import runs_of

FOLDER = Path(os.environ["DEMO_FOLDER"])

wamp = WAMP()
wamp.permit(
    Permission("shop.sold.<item>", publish="agent", subscribe="agent"),
    Permission("shop.answer.<name>", register="agent", call="agent"),
)


@wamp.register("shop.pid", allow="agent")
def get_pid() -> int:
    return os.getpid()


@wamp.register("shop.slow", allow="agent")
def wait_for(name: str, seconds: float) -> int:
    with (FOLDER / name).open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    return os.getpid()


@wamp.cron(every=1, name="tick")
def tick() -> None:
    with (FOLDER / "ticks").open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()} began\n")
        file.flush()
        time.sleep(0.6)
        file.write(f"{os.getpid()} ended\n")


@wamp.register("shop.order", allow="agent")
def order(item: str) -> str:
    if item != "tea":
        raise CallFailed("shop.error.sold_out", f"No {item}.")
    return f"{item} for {caller.authid}"


app = Flask(__name__, instance_path=str(FOLDER / "instance"))
app.config.update({key: value for key, value in os.environ.items() if key.startswith("WAMP_")})
wamp.init_app(app)
bridge.init_app(app)


@app.after_request
def say_who(response: Response) -> Response:
    response.headers["X-Worker"] = str(os.getpid())
    return response


@app.get("/runs")
def runs() -> list[tuple[int, str]]:
    found = runs_of(current_client()).of("tick")
    return [(int(run.place.rpartition(":")[2]), run.outcome) for run in found]


@app.get("/kinds")
def kinds() -> list[dict[str, object]]:
    found = bridge.bridge_of().callbacks.all()
    return [{"uri": one.uri, "waiting": one.waiting, "dropped": one.dropped, "note": one.note} for one in found]
