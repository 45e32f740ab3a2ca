"""A setting that one worker stores is in force in the others at once, and on pages."""

from __future__ import annotations

from pathlib import Path

from tests.core.processes.programs import configuration, connected, eventually, make_app
from wampflask import WAMP
from wampflask.router import wire as w
from wampflask.settings import Setting
from wampflask.testing import RouterNode


def worker() -> tuple[WAMP, Setting[int]]:
    wamp = WAMP()
    return wamp, wamp.settings.declare("people.settings.call", 1, allow="everyone")


def test_a_change_reaches_every_worker_and_page(node: RouterNode, tmp_path: Path) -> None:
    (first, here), (second, there) = worker(), worker()
    one, other = (make_app(configuration(node), tmp_path, wamp) for wamp in (first, second))
    seen: list[int] = []
    there.changed(seen.append)
    with connected(one, first), connected(other, second), node.backend() as page:
        page.ask(w.SUBSCRIBE, "settings.people.settings.call")
        with other.app_context():
            assert there.value == 1
        with one.app_context():
            first.settings.set("people.settings.call", "2")
            assert here.value == 2
        eventually(lambda: seen == [2], lambda: f"the other worker has {seen}")
        with other.app_context():
            assert there.value == 2
        event = page.receive()
        assert (event[0], event[4][0]) == (w.EVENT, {"value": "2"})
    for app in (one, other):
        app.extensions["wamp"].store.close()
