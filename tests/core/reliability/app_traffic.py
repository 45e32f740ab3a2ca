"""A program that calls and publishes without a pause, and reports how that went: one word a line on stdin.

``ready`` answers whether it is; ``report`` what happened so far; at the end of stdin it stops.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

from flask import Flask

from wampflask import WAMP, WampError

PREFIX = os.environ["DEMO_PREFIX"]
PAUSE = 0.005
"""Seconds between two messages of a thread: steady traffic, not a load test."""

wamp = WAMP()
done: Counter[str] = Counter()
errors: Counter[str] = Counter()
slowest: dict[str, float] = {}
stopping = threading.Event()


@wamp.register(f"{PREFIX}.echo")
def echo(value: int) -> int:
    return value


@wamp.subscribe(f"{PREFIX}.event")
def hear(number: int) -> None:
    done["heard"] += 1


app = Flask("traffic", instance_path=os.path.join(os.getcwd(), "instance"))  # noqa: PTH109, PTH118 - Flask wants text
app.config.update({key: value for key, value in os.environ.items() if key.startswith("WAMP_")})
wamp.init_app(app)

KINDS: dict[str, Callable[[int], object]] = {
    "call": lambda number: wamp.call(f"{PREFIX}.echo", number),
    "publish": lambda number: wamp.publish(f"{PREFIX}.event", number),
    "publish_later": lambda number: wamp.publish_later(f"{PREFIX}.later", number),
    "publish_latest": lambda number: wamp.publish_latest(f"{PREFIX}.latest", number),
}


def send(kind: str) -> None:
    """Do one kind of traffic until the end."""
    number = 0
    with app.app_context():
        while not stopping.wait(PAUSE):
            number += 1
            began = time.monotonic()
            try:
                KINDS[kind](number)
                done[kind] += 1
            except WampError as error:
                errors[f"{kind}: {type(error).__name__}"] += 1
            slowest[kind] = max(slowest.get(kind, 0.0), time.monotonic() - began)


def report() -> dict[str, object]:
    """What happened so far."""
    return {
        "done": done,
        "errors": errors,
        "slowest": slowest,
        "counters": wamp.status.counters,
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names are enough
    }


if __name__ == "__main__":
    threads = [threading.Thread(target=send, args=(kind,), name=kind) for kind in KINDS]
    with app.app_context():
        wamp.connect()
        for thread in threads:
            thread.start()
        for line in sys.stdin:
            answer = report() if "report" in line else wamp.status.ready
            print(json.dumps(answer), flush=True)
        stopping.set()
        for thread in threads:
            thread.join()
