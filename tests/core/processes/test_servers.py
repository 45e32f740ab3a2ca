"""Every way a Flask app is served or run: who connects, when, and who does not."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.processes.programs import (
    BIN,
    READY,
    ROOT,
    STRICT,
    Listener,
    Probe,
    Program,
    at_most,
    eventually,
    flask,
    get,
    gunicorn,
    is_gone,
)
from wampflask.router.wire import Refused
from wampflask.testing import RouterNode, free_port

PROMPT = 2.0
"""Seconds in which a program must have ended once it has nothing left to do."""

Env = dict[str, str]


def answer(port: int, path: str) -> tuple[int, Any] | None:
    """Status and body of a page, once the server answers."""
    with contextlib.suppress(OSError):
        return get(f"http://127.0.0.1:{port}{path}")
    return None


def page(port: int, path: str) -> Callable[[], object]:
    """A question for :func:`eventually`: the page, once the server answers."""

    def ask() -> object:
        try:
            status, body = get(f"http://127.0.0.1:{port}{path}")
        except OSError:
            return None
        return body if status == 200 else None

    return ask


@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
@pytest.mark.parametrize("kind", ["gthread", "sync"])
def test_gunicorns_workers_connect_by_themselves(
    kind: str, preload: bool, site: Path, env: Env, prefix: str, probe: Probe
) -> None:
    port = free_port()
    options = (["--preload"] if preload else []) + (["--threads", "4"] if kind == "gthread" else [])
    # gunicorn's sync worker leaves its listening socket to the end of the process
    warnings = f"{STRICT},ignore:unclosed:ResourceWarning"
    with Program(gunicorn(port, *options, kind=kind), site, {**env, "PYTHONWARNINGS": warnings}) as server:
        eventually(lambda: probe.callees(f"{prefix}.pid") == 2, lambda: f"two workers registered\n{server.said()}")
        workers = set(server.children())
        assert len(workers) == 2
        pids = {probe.call(f"{prefix}.pid") for _ in range(10)}
        assert pids == workers, "calls are spread over the workers, and the master answers none"
        status, body = get(f"http://127.0.0.1:{port}/pid")
        assert (status, set(body.values()) <= workers) == (200, True), "a view calls a procedure"
        assert server.end() == 0
        assert (probe.callees(f"{prefix}.pid"), probe.subscribers(f"{prefix}.event")) == (0, 0)
        server.assert_quiet()


def test_flask_run_connects_when_it_has_loaded_the_app(site: Path, env: Env, prefix: str, probe: Probe) -> None:
    with Program(flask("run", "--port", str(free_port())), site, env) as server:
        eventually(lambda: probe.callees(f"{prefix}.pid") == 1, lambda: f"registered\n{server.said()}")
        assert probe.call(f"{prefix}.pid") == server.pid
        began = time.monotonic()
        server.end(signal.SIGINT)
        assert time.monotonic() - began < at_most(PROMPT)
        assert probe.callees(f"{prefix}.pid") == 0
        server.assert_quiet()


def test_flask_runs_reloader_restarts_the_connection(site: Path, env: Env, prefix: str, probe: Probe) -> None:
    procedure = f"{prefix}.pid"
    with Program(flask("run", "--reload", "--port", str(free_port())), site, env) as server:
        eventually(lambda: probe.callees(procedure) == 1, lambda: f"registered\n{server.said()}")
        first = probe.call(procedure)
        assert first != server.pid, "the reloader's parent does not connect; its child does"

        source = site / "app_small.py"
        source.write_text(source.read_text(encoding="utf-8") + "\nCHANGED = True\n", encoding="utf-8")
        most = 0

        def is_another() -> bool:
            nonlocal most
            most = max(most, probe.callees(procedure))
            with contextlib.suppress(Refused):  # while neither is there
                return bool(probe.call(procedure) != first)
            return False

        eventually(is_another, lambda: f"reloaded and registered again\n{server.said()}")
        assert most == probe.callees(procedure) == 1, "the old process had left before the new one came"
        assert probe.subscribers(f"{prefix}.event") == 1
        assert is_gone(first)
        server.end()
        server.assert_quiet()


@pytest.fixture
def server(site: Path, env: Env, prefix: str, probe: Probe) -> Iterator[Program]:
    """One that serves, for commands to use."""
    with Program(flask("run", "--port", str(free_port())), site, env) as running:
        eventually(lambda: probe.callees(f"{prefix}.pid") == 1, lambda: f"registered\n{running.said()}")
        yield running


def test_a_command_that_sends_nothing_does_not_connect(site: Path, env: Env, node: RouterNode) -> None:
    with Listener(node, "wamp.session.on_join") as joins, Program(flask("idle"), site, env) as idle:
        assert idle.wait(READY) == 0
        assert "state idle" in idle.said()
        idle.assert_quiet()
        assert joins.all(0.1) == []


def test_a_command_uses_what_servers_provide_and_provides_nothing(
    server: Program, site: Path, env: Env, prefix: str, node: RouterNode, probe: Probe
) -> None:
    created = Listener(node, "wamp.registration.on_register")
    with Listener(node, "wamp.session.on_join") as joins, created, Program(flask("use"), site, env) as use:
        began = time.monotonic()
        eventually(lambda: "called" in use.said() or use.process.poll() is not None, use.said)
        called = time.monotonic()
        assert use.wait() == 0, use.said()
        assert f"called {server.pid}" in use.said()
        assert time.monotonic() - called < at_most(PROMPT), (
            f"it went on for long after its work ({called - began:.1f} s)"
        )
        use.assert_quiet()
        assert len(joins.all(0.1)) == 1
        assert created.all(0.1) == [], "nobody's call may end up in a command"
    assert probe.callees(f"{prefix}.pid") == 1


def test_a_command_that_connects_serves(site: Path, env: Env, prefix: str, probe: Probe) -> None:
    with Program(flask("serve-once"), site, env) as command:
        eventually(lambda: probe.callees(f"{prefix}.pid") == 1, command.said)
        assert probe.call(f"{prefix}.pid") == command.pid
        assert command.wait() == 0, command.said()


OTHER = """
import sys
from wsgiref.simple_server import make_server
from app_small import app
with make_server("127.0.0.1", int(sys.argv[1]), app) as server:
    print("served", flush=True)
    server.serve_forever()
"""


@pytest.mark.parametrize("connects", [False, True], ids=["at a request", "when loaded"])
def test_any_other_server(site: Path, env: Env, prefix: str, probe: Probe, *, connects: bool) -> None:
    """It serves from its first request on, or from ``wamp.connect()`` beside the app."""
    (site / "other.py").write_text(OTHER, encoding="utf-8")
    port = free_port()
    more = {"DEMO_CONNECT_AT_IMPORT": "1"} if connects else {}
    with Program([BIN / "python", "other.py", str(port)], site, env | more) as server:
        eventually(lambda: "served" in server.said() or server.process.poll() is not None, server.said)
        assert probe.callees(f"{prefix}.pid") == (1 if connects else 0), server.said()
        eventually(page(port, "/status"), server.said)
        eventually(lambda: probe.callees(f"{prefix}.pid") == 1, server.said)
        assert probe.call(f"{prefix}.pid") == server.pid


@pytest.mark.usefixtures("server")
def test_flask_shell_connects_only_when_it_uses_the_router(site: Path, env: Env, prefix: str, node: RouterNode) -> None:
    script = site / "typed.py"
    for typed, joined in (("print('typed', 1 + 1)", 0), (f"from app_small import wamp; wamp.call('{prefix}.pid')", 1)):
        script.write_text(f"{typed}\n", encoding="utf-8")
        with Listener(node, "wamp.session.on_join") as joins:
            shell = f"{BIN / 'flask'} --app app_small:app shell < typed.py"
            with Program(["/bin/sh", "-c", shell], site, env) as program:
                assert program.wait(READY) == 0, program.said()
                assert ("typed 2" in program.said()) is (joined == 0)
                program.assert_quiet()
            assert len(joins.all(0.1)) == joined


TWISTED_HOST = """
from twisted.internet import reactor
from twisted.web.server import Site
from twisted.web.wsgi import WSGIResource
import sys
from app_small import app

reactor.listenTCP(int(sys.argv[1]), Site(WSGIResource(reactor, reactor.getThreadPool(), app)), interface="127.0.0.1")
reactor.run()
"""


@pytest.mark.parametrize("host", ["twist", "script"])
def test_a_twisted_host_lends_its_reactor(host: str, site: Path, env: Env, prefix: str, probe: Probe) -> None:
    port = free_port()
    (site / "host.py").write_text(TWISTED_HOST, encoding="utf-8")
    twist: list[str | Path] = [
        BIN / "twist",
        "web",
        "--listen",
        f"tcp:{port}:interface=127.0.0.1",
        "--wsgi",
        "app_small.app",
    ]
    script: list[str | Path] = [BIN / "python", "host.py", str(port)]
    # twist itself looks for plugins by functions that Python has deprecated
    lenient = {"PYTHONWARNINGS": "default", "PYTHONPATH": f"{site}:{ROOT}"}
    with Program(twist if host == "twist" else script, site, {**env, **lenient}) as server:
        body = eventually(page(port, "/pid"), lambda: f"a view called a procedure\n{server.said()}")
        assert body == {"served_by": server.pid, "called": server.pid}
        assert probe.callees(f"{prefix}.pid") == 1
        began = time.monotonic()
        server.end()
        assert time.monotonic() - began < at_most(PROMPT)
        assert probe.callees(f"{prefix}.pid") == 0
        server.assert_quiet("Warning:")


PLAIN = """
import os, threading
from app_small import PREFIX, app, wamp

def work(number):
    with app.app_context():
        assert wamp.call(f"{PREFIX}.pid") == os.getpid()
        wamp.publish(f"{PREFIX}.heard", number)

threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
with app.app_context():
    wamp.connect()
for thread in threads: thread.start()
for thread in threads: thread.join()
print("done", flush=True)
"""


def test_a_plain_script_ends_by_itself(site: Path, env: Env, prefix: str, node: RouterNode) -> None:
    (site / "plain.py").write_text(PLAIN, encoding="utf-8")
    with Listener(node, f"{prefix}.heard") as heard, Program([BIN / "python", "plain.py"], site, env) as script:
        eventually(lambda: "done" in script.said() or script.process.poll() is not None, script.said)
        began = time.monotonic()
        assert script.wait() == 0, script.said()
        assert time.monotonic() - began < at_most(PROMPT)
        assert sorted(heard.next()[0] for _ in range(4)) == [0, 1, 2, 3]
        script.assert_quiet()


# -- refused, with the remedy

GEVENT = """
from gevent import monkey
monkey.patch_all()
from app_small import app, wamp
from wampflask import UnsafeProcess
with app.app_context():
    try:
        wamp.connect()
    except UnsafeProcess as error:
        print(error)
"""


def test_geventlets_are_refused(site: Path, env: Env) -> None:
    (site / "green.py").write_text(GEVENT, encoding="utf-8")
    with Program([BIN / "python", "green.py"], site, env) as script:
        assert script.wait(READY) == 0, script.said()
        assert "gunicorn --worker-class gthread" in script.said()
        script.assert_quiet()


def test_gunicorns_gevent_worker_is_refused(site: Path, env: Env, prefix: str, probe: Probe) -> None:
    port = free_port()
    with Program(gunicorn(port, workers=1, kind="gevent"), site, env) as server:
        eventually(lambda: "gunicorn --worker-class gthread" in server.said(), lambda: f"the remedy\n{server.said()}")
        status, body = eventually(lambda: answer(port, "/status"), server.said)
        assert (status, body["state"]) == (200, "idle"), "pages that need no connection are served"
        assert get(f"http://127.0.0.1:{port}/pid")[0] == 500
        assert get(f"http://127.0.0.1:{port}/status")[0] == 200
        assert server.said().count("Not connected to the router") == 1
        assert probe.callees(f"{prefix}.pid") == 0


FORK = """
import os
from app_small import PREFIX, app, wamp
from wampflask import UnsafeProcess
with app.app_context():
    wamp.connect()
    child = os.fork()
    if not child:
        try:
            wamp.publish(f"{PREFIX}.heard", 1)
        except UnsafeProcess as error:
            print(error, flush=True)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert wamp.call(f"{PREFIX}.pid") == os.getpid()
    print("the parent goes on", flush=True)
"""


def test_a_reactor_from_before_a_fork_is_refused(site: Path, env: Env) -> None:
    (site / "fork.py").write_text(FORK, encoding="utf-8")
    with Program([BIN / "python", "fork.py"], site, env) as script:
        assert script.wait(READY) == 0, script.said()
        assert f"was loaded in process {script.pid}, before it forked" in script.said()
        assert "after the fork" in script.said()
        assert "the parent goes on" in script.said()
        script.assert_quiet()


HOOKLESS_FORK = """
import ctypes, os, sys
from app_small import PREFIX, app, wamp
from wampflask import UnsafeProcess

libc = ctypes.PyDLL(None)
with app.app_context():
    if "late" in sys.argv:
        wamp.connect()
    child = libc.fork()  # as uWSGI does: Python's own hooks do not run
    if not child:
        try:
            wamp.connect()
            print("called", wamp.call(f"{PREFIX}.pid") == os.getpid(), flush=True)
        except UnsafeProcess as error:
            print(error, flush=True)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


@pytest.mark.parametrize(("moment", "expected"), [("early", "called True"), ("late", "after the fork")])
def test_a_fork_without_pythons_hooks(moment: str, expected: str, site: Path, env: Env) -> None:
    (site / "fork.py").write_text(HOOKLESS_FORK, encoding="utf-8")
    with Program([BIN / "python", "fork.py", moment], site, env) as script:
        assert script.wait(READY) == 0, script.said()
        assert expected in script.said()
        script.assert_quiet()


UWSGI = """
import os, sys, types
option = b"enable-threads" if sys.argv[1] == "master" else b"master"
sys.modules["uwsgi"] = types.SimpleNamespace(opt={option: True}, masterpid=os.getpid)
from app_small import app, wamp
from wampflask import UnsafeProcess
with app.app_context():
    try:
        wamp.connect()
    except UnsafeProcess as error:
        print(error)
"""


@pytest.mark.parametrize(("what", "remedy"), [("threadless", "--enable-threads"), ("master", "--lazy-apps")])
def test_uwsgi_without_threads_and_its_master_are_refused(what: str, remedy: str, site: Path, env: Env) -> None:
    (site / "in_uwsgi.py").write_text(UWSGI, encoding="utf-8")
    with Program([BIN / "python", "in_uwsgi.py", what], site, env) as script:
        assert script.wait(READY) == 0, script.said()
        assert remedy in script.said()


def test_connecting_in_gunicorns_master_is_refused(site: Path, env: Env, prefix: str, probe: Probe) -> None:
    port = free_port()
    with Program(gunicorn(port, "--preload", workers=1), site, {**env, "DEMO_CONNECT_AT_IMPORT": "1"}) as server:
        eventually(lambda: "not in gunicorn's master when preload_app is on" in server.said(), server.said)
        assert get(f"http://127.0.0.1:{port}/pid")[0] == 500
        assert probe.callees(f"{prefix}.pid") == 1, "the master itself is connected, as it asked"
        assert server.end() == 0
        assert not os.path.exists(f"/proc/{server.pid}")  # noqa: PTH110 - a process, not a file
