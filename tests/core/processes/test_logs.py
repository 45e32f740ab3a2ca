"""What the server's terminal shows: the whole of an error with the id its caller got, and nothing needless."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.processes.programs import (
    BIN,
    Probe,
    Program,
    configuration,
    connected,
    eventually,
    flask,
    gunicorn,
    make_app,
)
from wampflask import WAMP, Permission
from wampflask.router import wire
from wampflask.router.wire import Refused
from wampflask.testing import RouterNode, free_port

Env = dict[str, str]

SERVERS: dict[str, Callable[[], list[str | Path]]] = {
    "gunicorn": lambda: gunicorn(free_port(), workers=1),
    "flask run": lambda: flask("run", "--port", str(free_port())),
    "flask run --debug": lambda: flask("run", "--debug", "--port", str(free_port())),
}


@pytest.mark.parametrize("server", SERVERS)
def test_a_handlers_error_shows_its_traceback_with_the_id_its_caller_got(
    server: str, site: Path, env: Env, prefix: str, probe: Probe
) -> None:
    with Program(SERVERS[server](), site, env) as program:
        eventually(lambda: probe.callees(f"{prefix}.fail") == 1, lambda: f"registered\n{program.said()}")
        with pytest.raises(Refused) as refused:
            probe.call(f"{prefix}.fail")
        found = re.fullmatch(r"wampflask\.error\.internal: ([0-9a-f]{8})", str(refused.value))
        assert found, f"the caller learns the id and nothing else: {refused.value}"
        eventually(lambda: "the handler's own secret" in program.said(), program.said, 5)
        said = program.said()
        assert re.search(rf"Error {found[1]} in the handler of {prefix}.fail, \S+app_small.py:\d+ \(fail\)", said)
        assert "Traceback (most recent call last):" in said
        assert "in fail\n" in said, "the traceback leads to the line that raised"

        probe.wire.ask(wire.PUBLISH, f"{prefix}.bad", [], options={"acknowledge": True})
        eventually(lambda: "the subscriber's own secret" in program.said(), program.said, 5)
        assert f"in the handler of {prefix}.bad" in program.said()
        program.end(signal.SIGINT)


def end_sessions(probe: Probe, procedure: str, reason: str | None) -> None:
    """Kill every session that provides ``procedure``, and wait until as many others do."""
    before = probe.providers(procedure)
    for session in before:
        probe.kill(session, reason)

    def is_replaced() -> bool:
        now = probe.providers(procedure)
        return len(now) == len(before) and not now & before

    eventually(is_replaced, "joined again", 5)


RECORDER = """
import json, logging, sys

class Recorder(logging.Handler):
    def emit(self, record):
        print(json.dumps([record.name, record.levelname, record.getMessage()]), flush=True)

for name in ("twisted", "wampflask"):
    logging.getLogger(name).addHandler(Recorder())
    logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger(name).propagate = False
from app_small import PREFIX, app, wamp

with app.app_context():
    wamp.connect()
    input()
    wamp.call(f"{PREFIX}.pid")
"""


def test_what_twisted_and_autobahn_say_keeps_its_level(site: Path, env: Env, prefix: str, probe: Probe) -> None:
    (site / "recorder.py").write_text(RECORDER, encoding="utf-8")
    with Program([BIN / "python", "recorder.py"], site, env, piped=True) as program:
        assert program.process.stdin is not None
        assert program.process.stdout is not None
        eventually(lambda: probe.callees(f"{prefix}.pid") == 1, program.said)
        end_sessions(probe, f"{prefix}.pid", "tests.close.reason")
        eventually(lambda: probe.callees(f"{prefix}.pid") == 1, program.said)
        program.process.stdin.write("\n")
        program.process.stdin.flush()
        records = [json.loads(line) for line in program.process.stdout]
        assert program.wait() == 0, program.said()
    assert {name for name, _, _ in records} <= {"twisted", "wampflask._link"}
    by_level = {
        level: " / ".join(text for _, found, text in records if found == level)
        for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    }
    assert "Joined realm wampflask" in by_level["INFO"], by_level
    assert "tests.close.reason" in by_level["WARNING"], by_level
    assert by_level["ERROR"] == by_level["CRITICAL"] == "", by_level


def test_an_ordinary_run_with_reconnects_is_told_in_few_plain_lines(
    site: Path, env: Env, prefix: str, probe: Probe, node: RouterNode
) -> None:
    with Program(gunicorn(free_port(), workers=1), site, env) as program:
        eventually(lambda: probe.callees(f"{prefix}.pid") == 1, program.said)
        for reason in (None, "tests.close.reason", "wamp.close.normal"):
            end_sessions(probe, f"{prefix}.pid", reason)
            eventually(lambda: probe.callees(f"{prefix}.pid") == 1, program.said)
        assert isinstance(probe.call(f"{prefix}.pid"), int)
        program.end()
        program.assert_quiet()
        ours = [line for line in program.said().splitlines() if "[INFO]" not in line]
        assert 1 <= len(ours) <= 9, f"three lost sessions are worth a line or three each:\n{program.said()}"


def test_in_development_the_log_names_permissions_that_the_router_does_not_know(
    node: RouterNode, prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wamp = WAMP()
    wamp.permit(*node.spec.realms[0].permissions, Permission(f"{prefix}.late", call=("visitor",)))
    app = make_app(configuration(node), tmp_path, wamp)
    app.debug = True
    with connected(app, wamp):
        eventually(lambda: f"other permissions: {prefix}.late (new). Start it again." in caplog.text, caplog.text, 5)
