"""``flask wamp …`` on an app of its own."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from wampflask import WAMP, Permission
from wampflask._control import PREFIX
from wampflask.permissions import PAGES
from wampflask.router.node import MAX_OPEN_FILES
from wampflask.router.wire import REGISTER, Wire, WireError, wait_until
from wampflask.testing import RouterNode, free_port
from wampflask.ticket_key import ensure_key

pytestmark = pytest.mark.slow

APP = """
import os
from pathlib import Path
from flask import Flask
from wampflask import WAMP, Permission
from wampflask.ticket_key import ensure_key

folder = os.environ["INSTANCE"]
app = Flask("cli_app", instance_path=folder)
ensure_key(Path(folder))
app.config.update(WAMP_PORT=os.environ["WAMP_PORT"])
wamp = WAMP(app)
wamp.permit(Permission("demo.uuid", call=("visitor",)))
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Short, for the router's socket."""
    with tempfile.TemporaryDirectory(prefix="wf-") as name:
        yield Path(name)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = Flask("cli_app", instance_path=str(tmp_path / "instance"))
    ensure_key(tmp_path / "instance")
    wamp = WAMP(app)
    wamp.permit(Permission("demo.uuid", call=PAGES))
    return app


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def test_render_writes_the_instances_node(app: Flask, runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["wamp", "router", "render"])

    file = Path(result.output.strip())
    assert result.exit_code == 0
    assert file == Path(app.instance_path) / "crossbar" / "config.json"
    config = json.loads(file.read_text())
    assert config["workers"][0]["components"][0]["extra"]["rules"] == [
        {"uri": "demo.uuid", "call": ["visitor", "user", "admin"]}
    ]
    key = (Path(app.instance_path) / "ticket.key").read_text().strip()
    assert key not in file.read_text()


def test_render_takes_the_pages_port_for_origins(runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9090")

    assert "http://*:9090" in Path(runner.invoke(args=["wamp", "router", "render"]).output.strip()).read_text()


def test_further_origins(app: Flask) -> None:
    """Pages that are served under other names than the router."""
    other = Flask("cli_app", instance_path=app.instance_path)
    other.config["WAMP_ORIGINS"] = "https://polls.example https://*.polls.example"
    WAMP(other)
    result = other.test_cli_runner().invoke(args=["wamp", "router", "render"])
    assert '"https://polls.example:443",\n' in Path(result.output.strip()).read_text()

    wrong = Flask("cli_app", instance_path=app.instance_path)
    wrong.config["WAMP_ORIGINS"] = "polls.example"
    WAMP(wrong)
    result = wrong.test_cli_runner().invoke(args=["wamp", "router", "render"])
    assert result.output.startswith("Error: The origin 'polls.example' is not of the form")


def test_render_elsewhere_with_paths_relative_to_there(runner: FlaskCliRunner, tmp_path: Path) -> None:
    result = runner.invoke(args=["wamp", "router", "render", "--folder", str(tmp_path / "node")])

    text = Path(result.output.strip()).read_text()
    assert '"../instance/ticket.key"' in text
    assert '"../instance/crossbar/backend.sock"' in text
    assert str(tmp_path) not in text


def test_render_says_what_is_wrong(tmp_path: Path) -> None:
    """A folder that cannot be written, a path that is too long, permissions that contradict each other: one line."""
    app = Flask("cli_app", instance_path=str(tmp_path))
    ensure_key(tmp_path)
    wamp = WAMP(app)
    runner = app.test_cli_runner()
    (tmp_path / "file").write_text("")

    for folder in (tmp_path / "file" / "node", tmp_path / ("x" * 150)):
        result = runner.invoke(args=["wamp", "router", "render", "--folder", str(folder)])
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
        assert result.output.count("\n") == 1
    wamp.permit(Permission("a.b", call=("user",)), Permission("a.b", call=("admin",)))
    result = runner.invoke(args=["wamp", "router", "render"])
    assert result.output == "Error: Two permissions for 'a.b': declare one that grants both.\n"


def test_check_finds_nothing_in_ours(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["wamp", "check"])

    assert result.exit_code == 0, result.output
    assert result.output.endswith("crossbar/config.json: no problem found\n")


def test_check_names_each_problem(runner: FlaskCliRunner, tmp_path: Path) -> None:
    file = Path(runner.invoke(args=["wamp", "router", "render"]).output.strip())
    other = tmp_path / "other.json"
    other.write_text(file.read_text().replace('"allow_null_origin": false', '"allow_null_origin": true'))

    result = runner.invoke(args=["wamp", "check", "--config", str(other), "--no-crossbar"])

    assert result.exit_code == 1
    assert "paths['ws']: must have options.allow_null_origin false" in result.output
    assert f"Error: 1 problem in {other}" in result.output


def test_check_lets_crossbar_speak(runner: FlaskCliRunner, tmp_path: Path) -> None:
    file = Path(runner.invoke(args=["wamp", "router", "render"]).output.strip())
    other = tmp_path / "other.json"
    other.write_text(file.read_text().replace('"enable_webstatus"', '"enable_nothing"'))

    result = runner.invoke(args=["wamp", "check", "--config", str(other)])

    assert result.exit_code == 1
    assert "crossbar check refuses" in result.output
    assert "enable_nothing" in result.output


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name: the path of the router's socket, seen from there, has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="wf-") as name:
        yield Path(name)


def test_check_compares_with_the_running_router(node: RouterNode, short: Path) -> None:
    app = Flask("cli_app", instance_path=str(short))
    app.config.update(node.config)
    wamp = WAMP(app)
    realm = node.spec.realms[0]
    first, second, *others = realm.permissions
    wamp.permit(*others, Permission("brand.new", call=("user",)))
    wamp.permit(Permission(first.uri, call=("admin",), register=("agent",), publish=("agent",)))
    check = ["wamp", "check", "--no-crossbar"]
    result = app.test_cli_runner().invoke(args=check)
    assert result.exit_code == 1
    for expected in (
        "brand.new (new)",
        f"{first.uri} (changed)",
        f"{second.uri} (taken back)",
        "Start workers of this version",
    ):
        assert expected in result.output

    same = Flask("cli_app", instance_path=str(short))
    same.config.update(node.config)
    WAMP(same).permit(*realm.permissions)
    result = same.test_cli_runner().invoke(args=check)
    assert (result.exit_code, "no problem found" in result.output) == (0, True), result.output


def test_status_of_a_running_router(node: RouterNode, tmp_path: Path) -> None:
    app = Flask("cli_app", instance_path=str(tmp_path))
    app.config.update(node.config)
    wamp = WAMP(app)
    status = ["wamp", "status", "--json"]
    with node.backend():
        result = app.test_cli_runner().invoke(args=status)
    found = json.loads(result.output)
    assert (result.exit_code, found["joined"], found["ready"]) == (1, True, False), "a session that serves nothing"
    assert found["error"] == "No worker serves this app. Is its web server running?"
    with app.app_context():
        wamp.connect()
        session = wamp.status.session
    try:
        result = app.test_cli_runner().invoke(args=status)
        found = json.loads(result.output)
        assert (result.exit_code, found["joined"], found["ready"]) == (0, True, True)
        assert found["sessions"] >= found["workers"] >= 1
        (answer,) = found["answers"]
        assert (answer["session"], answer["pid"], answer["state"]) == (session, os.getpid(), "ready")
        assert answer["milliseconds"] > 0
        text = app.test_cli_runner().invoke(args=status[:-1]).output
        assert f"process {os.getpid()}: ready, answered in" in text
    finally:
        app.extensions["wamp"].stop()


def test_status_names_workers_that_do_not_answer(node: RouterNode, tmp_path: Path) -> None:
    app = Flask("cli_app", instance_path=str(tmp_path))
    app.config.update(node.config)
    WAMP(app)
    with node.backend() as silent:
        silent.ask(REGISTER, f"{PREFIX}0123456789abcdef")
        result = app.test_cli_runner().invoke(args=["wamp", "status"])
    assert result.exit_code == 1
    assert f"worker       session {silent.session} does not answer" in result.output
    assert "error        1 of 1 workers do not answer within 2 s." in result.output


def test_status_names_what_is_wrong_with_a_worker_and_not_the_router(node: RouterNode, tmp_path: Path) -> None:
    wrong = {
        "WAMP_URL": (node.ws_url, "takes no workers at ws://"),
        "WAMP_TICKET_SECRET": ("x" * 16, "is not the router's"),
    }
    for key, (value, expected) in wrong.items():
        app = Flask("cli_app", instance_path=str(tmp_path))
        app.config.update({**node.config, key: value})
        WAMP(app)
        result = app.test_cli_runner().invoke(args=["wamp", "status"])
        assert result.exit_code == 1
        assert expected in result.output
        assert "running" not in result.output


def test_status_without_a_router(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["wamp", "status"])

    assert result.exit_code == 1
    assert "joined       False" in result.output
    assert "No such file or directory. Is the router running?" in result.output


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str], Path]]:
    """``flask wamp router run`` as a process."""
    (tmp_path / "cli_app.py").write_text(APP)
    folder = tmp_path / "i"
    environment = {
        **os.environ,
        "INSTANCE": str(folder),
        "WAMP_PORT": str(free_port()),
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).resolve().parents[2]}",
    }
    command = [sys.executable, "-m", "flask", "--app", "cli_app", "wamp", "router", "run"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, text=True, start_new_session=True)
    try:
        yield process, environment, folder
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_run_becomes_the_router_and_ends_with_it(
    running: tuple[subprocess.Popen[str], dict[str, str], Path],
) -> None:
    """One process for whoever supervises it: SIGTERM ends it, and its workers, within three seconds."""
    process, environment, folder = running
    url = f"ws://127.0.0.1:{environment['WAMP_PORT']}/ws"

    def answers() -> bool:
        try:
            Wire(url).close()
        except (OSError, WireError):
            return False
        return True

    assert wait_until(answers, 30), (folder.parent / "log").read_text()
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    assert soft == min(hard, MAX_OPEN_FILES)

    process.send_signal(signal.SIGTERM)

    process.wait(3)
    assert wait_until(lambda: not answers(), 1)
