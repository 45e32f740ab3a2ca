"""Processes that only send: they answer nobody's calls, and lose nothing however abruptly they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.processes.programs import (
    BIN,
    READY,
    Listener,
    Probe,
    Program,
    configuration,
    connected,
    eventually,
    flask,
    get,
    make_app,
)
from tests.core.processes.relay import Relay
from wampflask import WAMP, NotConnected, WampTimeout
from wampflask.testing import RouterNode, free_port

Env = dict[str, str]


@pytest.fixture
def server(site: Path, env: Env, prefix: str, probe: Probe) -> Iterator[Program]:
    with Program(flask("run", "--port", str(free_port())), site, env) as running:
        eventually(lambda: probe.callees(f"{prefix}.pid") == 1, lambda: f"registered\n{running.said()}")
        yield running


SCRIPT = """
from app_small import PREFIX, app, wamp
with app.app_context():
    wamp.publish(f"{PREFIX}.started")
    called = wamp.call(f"{PREFIX}.pid")
    print("called", called, flush=True)
    wamp.call(f"{PREFIX}.pid")
"""


def test_a_script_answers_none_of_the_sites_calls(
    server: Program, site: Path, env: Env, prefix: str, node: RouterNode
) -> None:
    (site / "script.py").write_text(SCRIPT, encoding="utf-8")
    with Listener(node, "wamp.registration.on_register") as registered:
        with Program([BIN / "python", "script.py"], site, env) as script:
            assert script.wait(READY) == 0, script.said()
            assert f"called {server.pid}" in script.said()
            script.assert_quiet()
        assert registered.all(0.1) == []


ASKED = """
import sys
from app_small import PREFIX, app, create_app, wamp
with app.app_context():
    wamp.connect()
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_script_that_connects_serves(site: Path, env: Env, prefix: str, probe: Probe) -> None:
    (site / "asked.py").write_text(ASKED, encoding="utf-8")
    with Program([BIN / "python", "asked.py"], site, env, piped=True) as script:
        eventually(lambda: probe.callees(f"{prefix}.pid") == 1, script.said)
        assert probe.call(f"{prefix}.pid") == script.pid


def test_one_that_must_not_serve_does_not_when_it_connects(
    node: RouterNode, prefix: str, probe: Probe, tmp_path: Path
) -> None:
    wamp = WAMP()
    wamp.register(f"{prefix}.here")(lambda: True)
    app = make_app(configuration(node), tmp_path, wamp, serve=False)
    with connected(app, wamp):
        assert app.test_client().get("/").status_code == 404
        wamp.publish(f"{prefix}.event")
        assert probe.callees(f"{prefix}.here") == 0


def test_one_that_is_to_serve_does_at_its_first_use(
    node: RouterNode, prefix: str, probe: Probe, tmp_path: Path
) -> None:
    wamp = WAMP()
    wamp.register(f"{prefix}.here")(lambda: True)
    app = make_app(configuration(node), tmp_path, wamp, serve=True)
    with app.app_context():
        wamp.publish_later(f"{prefix}.event")
        eventually(lambda: probe.callees(f"{prefix}.here") == 1, lambda: f"{wamp.status}", 5)
        app.extensions["wamp"].stop()


WSGIREF = """
import sys
from wsgiref.simple_server import make_server
from app_small import app
make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
"""


def test_any_servers_process_serves_from_its_first_request_on(site: Path, env: Env, prefix: str, probe: Probe) -> None:
    port = free_port()
    (site / "any.py").write_text(WSGIREF, encoding="utf-8")

    def answer() -> object:
        try:
            return get(f"http://127.0.0.1:{port}/pid")
        except OSError:
            return None

    with Program([BIN / "python", "any.py", str(port)], site, env) as server:
        status, body = eventually(answer, server.said)
        assert (status, body) == (200, {"served_by": server.pid, "called": server.pid})
        assert probe.callees(f"{prefix}.pid") == 1


# -- abrupt ends

ABRUPT = """
import os
from app_small import PREFIX, app, wamp
with app.app_context():
    for number in range(1000):
        wamp.publish_later(f"{PREFIX}.heard", number)
    wamp.publish_latest(f"{PREFIX}.heard", "latest")
    wamp.publish_latest(f"{PREFIX}.heard", "last")
os._exit(0)
"""

CHILD = """
import multiprocessing
from app_small import PREFIX, app, wamp

def work():
    with app.app_context():
        wamp.publish_later(f"{PREFIX}.heard", 0)
        wamp.publish_latest(f"{PREFIX}.heard", "last")

child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
"""


LIVE = """
import os
from app_small import PREFIX, app, wamp

@wamp.value(f"{PREFIX}.state.<int:number>", allow="everyone")
def state(number):
    return number

with app.app_context():
    for number in range(5):
        state.changed(number=number)
os._exit(0)
"""


def test_live_things_that_changed_have_been_read_and_sent_when_the_app_context_ends(
    site: Path, env: Env, prefix: str, node: RouterNode
) -> None:
    (site / "live.py").write_text(LIVE, encoding="utf-8")
    with (
        Listener(node, f"{prefix}.state.", match="wildcard") as heard,
        Program([BIN / "python", "live.py"], site, env) as script,
    ):
        assert script.wait(READY) == 0, script.said()
        assert sorted(state for state, _number in heard.all(0.2)) == list(range(5))
        assert "Publications still wait" not in script.said()


@pytest.mark.parametrize(("program", "count"), [(ABRUPT, 1000), (CHILD, 1)], ids=["os._exit", "multiprocessing"])
def test_what_was_queued_has_left_when_the_app_context_ends(
    program: str, count: int, site: Path, env: Env, prefix: str, node: RouterNode
) -> None:
    (site / "abrupt.py").write_text(program, encoding="utf-8")
    with Listener(node, f"{prefix}.heard") as heard, Program([BIN / "python", "abrupt.py"], site, env) as script:
        assert script.wait(READY) == 0, script.said()
        values = [value for [value] in heard.all(0.2)]
        assert [value for value in values if isinstance(value, int)] == list(range(count))
        assert "last" in values
        script.assert_quiet()


AWAY = """
import os, time
from app_small import app, wamp
for _ in range(3):
    with app.app_context():
        wamp.publish_later("demo.event")
print("over", flush=True)
os._exit(0)
"""


def test_a_router_that_is_away_holds_nobody_up_and_is_named_once(site: Path, env: Env) -> None:
    (site / "away.py").write_text(AWAY, encoding="utf-8")
    nobody = {**env, "WAMP_URL": f"unix:{site}/nobody.sock"}
    with Program([BIN / "python", "away.py"], site, nobody) as script:
        assert script.wait(READY) == 0, script.said()
        assert script.said().count("Publications still wait at the end of an app context") == 1
        assert "cannot reach unix:" in script.said()


def test_flush_waits_until_the_router_has_everything(node: RouterNode, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    with Listener(node, f"{prefix}.event") as heard:
        app = make_app(configuration(node), tmp_path, wamp)
        with app.app_context():
            wamp.flush(0)
            assert wamp.status.session is None, "nothing waits, so nothing is started"
        with connected(app, wamp):
            for number in range(500):
                wamp.publish_later(f"{prefix}.event", number)
            wamp.publish_latest(f"{prefix}.event", "first")
            wamp.publish_latest(f"{prefix}.event", "last")
            wamp.flush(10)
            counters = wamp.status.counters
            assert (counters["waiting_later"], counters["waiting_latest"]) == (0, 0)
            values = [value for [value] in heard.all(0.2)]
            assert [value for value in values if isinstance(value, int)] == list(range(500))
            assert values.count("last") == 1


def test_flush_says_why_it_cannot(node: RouterNode, prefix: str, tmp_path: Path) -> None:
    wamp = WAMP()
    relay = Relay(node.url)
    app = make_app({**configuration(node), "WAMP_URL": relay.url}, tmp_path, wamp)
    with app.app_context():
        wamp.publish_later(f"{prefix}.event")
        with pytest.raises(NotConnected, match=r"still wait: 1\. .*cannot reach"):
            wamp.flush(0.3)
        with relay, connected(app, wamp):
            wamp.flush(5)
            relay.flowing.clear()
            wamp.publish_later(f"{prefix}.event")
            with pytest.raises(WampTimeout, match="acknowledged"):
                wamp.flush(0.3)
            relay.flowing.set()
            wamp.flush(5)
