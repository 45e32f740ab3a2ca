"""A plain program that does what the test asks it, line by line on stdin; it ends when stdin is closed.

Each line is ``[what, *args]`` in JSON; the answer is one line, what was returned or ``{"error": …}``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask

from wampflask import WAMP, WampError, caller
from wampflask._declarations import Invoke
from wampflask.locks import Lock

PREFIX = os.environ["DEMO_PREFIX"]
wamp = WAMP()
locks: dict[str, Lock] = {}


def declare_procedure(name: str, invoke: Invoke) -> None:
    """Register ``<prefix>.<name>``, which returns this process's pid."""
    wamp.register(f"{PREFIX}.{name}", invoke=invoke)(os.getpid)


def declare_single(topic: str) -> None:
    """Subscribe by ``single=True``; each event handled is told by ``<prefix>.handled``."""

    @wamp.subscribe(f"{PREFIX}.{topic}", single=True)
    def handle(number: int) -> None:
        wamp.publish_later(f"{PREFIX}.handled", number, os.getpid())


class Hammer:
    """Calls a procedure without a pause from several threads."""

    def __init__(self, procedure: str, threads: int) -> None:
        self._uri = f"{PREFIX}.{procedure}"
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]
        self._answered: list[int] = []
        self._failures: list[str] = []
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        with app.app_context():
            while not self._stopping.is_set():
                try:
                    self._answered.append(wamp.call(self._uri))
                except WampError as error:
                    self._failures.append(f"{type(error).__name__}: {error}")

    def report(self) -> dict[str, Any]:
        """Stop; how many calls were answered, by whom, and every failure."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        return {"answered": len(self._answered), "by": sorted(set(self._answered)), "failures": self._failures}


hammers: list[Hammer] = []


def hammer(procedure: str, threads: int) -> None:
    """Begin to hammer."""
    hammers.append(Hammer(procedure, threads))


def rest() -> dict[str, Any]:
    """Stop hammering, and report."""
    return hammers.pop().report()


def acquire(name: str) -> bool:
    """Try to take a lock."""
    locks[name] = wamp.lock(name)
    return locks[name].acquire()


def release(name: str) -> None:
    """Free it."""
    locks[name].release()


def connect(timeout: float | None = None) -> int:
    """Connect; the pid."""
    wamp.connect(timeout)
    return os.getpid()


def call(procedure: str) -> Any:
    """Call a procedure of the test."""
    return wamp.call(f"{PREFIX}.{procedure}")


ORDERS: dict[str, Callable[..., Any]] = {
    "acquire": acquire,
    "call": call,
    "connect": connect,
    "declare_procedure": declare_procedure,
    "declare_single": declare_single,
    "hammer": hammer,
    "release": release,
    "rest": rest,
}


def obey(line: str) -> Any:
    what, *args = json.loads(line)
    try:
        return ORDERS[what](*args)
    except WampError as error:
        return {"error": f"{type(error).__name__}: {error}"}


@wamp.register(f"{PREFIX}.who_{os.getpid()}")
def say_who() -> list[str | None]:
    return [caller.authid, caller.role]


app = Flask("remote", instance_path=os.path.join(os.getcwd(), "instance"))  # noqa: PTH109, PTH118 - Flask wants text
app.config.update({key: value for key, value in os.environ.items() if key.startswith("WAMP_")})
wamp.init_app(app)

if __name__ == "__main__":
    with app.app_context():
        for line in sys.stdin:
            print(json.dumps(obey(line)), flush=True)
