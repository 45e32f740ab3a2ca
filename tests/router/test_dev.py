"""``flask wamp dev`` as a person starts it, and ``flask wamp router install``."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wampflask import dev
from wampflask.router import install as installing
from wampflask.router import node as nodes
from wampflask.router import wire as w
from wampflask.router.node import RouterError
from wampflask.router.wire import Refused, Wire
from wampflask.testing import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
APP = """
from flask import Flask
from wampflask import WAMP

wamp = WAMP()
app = Flask(__name__)
wamp.init_app(app)

@wamp.value("demo.first", allow="everyone")
def first():
    return 1
"""
MORE = """
@wamp.value("demo.second", allow="everyone")
def second():
    return 2
"""


class Dev:
    """The command, its output, and the app's file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.app = folder / "app.py"
        self.app.write_text(APP)
        self.lines: list[str] = []
        self.process = self.start()
        self._reader = threading.Thread(target=self._read, name="output of wamp dev")
        self._reader.start()

    def command(self, *options: str) -> list[str]:
        return [sys.executable, "-m", "flask", "--app", "app", "wamp", "dev", *options]

    def environment(self, **more: str) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("WAMP", "FLASK", "PORT"))}
        return env | {"PYTHONPATH": str(ROOT), "WAMPFLASK_CROSSBAR": str(nodes.find_crossbar())} | more

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command("--port", str(self.port)),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line)

    def says(self, text: str) -> None:
        assert w.wait_until(lambda: any(text in line for line in self.lines), 60), "".join(self.lines)

    def ask(self, uri: str) -> object:
        """Call it as a page does."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/wamp/ticket", timeout=10) as answer:
            ticket = json.load(answer)
        with Wire(ticket["url"], origin=f"http://localhost:{self.port}") as page:
            return page.join(ticket["realm"], ticket["ticket"]).call(uri)

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self._reader.join(10)
            if self.process.stdout:
                self.process.stdout.close()


@pytest.fixture
def running() -> Iterator[Dev]:
    folder = Path(tempfile.mkdtemp(prefix="wf-"))
    started = Dev(folder)
    yield started
    started.close()
    shutil.rmtree(folder)


def test_one_command_runs_both_and_applies_what_the_code_declares(running: Dev) -> None:
    running.says(f"Ready: http://localhost:{running.port}")
    assert running.ask("demo.first") == 1
    with pytest.raises(Refused, match="not_authorized"):
        running.ask("demo.second")

    second = subprocess.run(
        running.command("--port", str(free_port())),
        cwd=running.folder,
        env=running.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Error: This app's router runs already" in second.stderr

    pid = nodes.running_node(running.folder / "instance" / "crossbar")
    running.app.write_text(APP + MORE)
    assert w.wait_until(lambda: answers(running, "demo.second") == 2, 30), "".join(running.lines)
    assert nodes.running_node(running.folder / "instance" / "crossbar") == pid, "permissions need no new start"

    running.app.write_text(APP.replace("WAMP()", "WAMP(roles=('customer',))"))
    running.says("The router is ready.")
    assert w.wait_until(lambda: answers(running, "demo.first") == 1, 30), "".join(running.lines)
    pid = nodes.running_node(running.folder / "instance" / "crossbar")
    assert pid
    running.close()
    assert running.process.returncode == 0
    assert not Path(f"/proc/{pid}").exists()
    assert nodes.is_free(running.port, "127.0.0.1")


def answers(running: Dev, uri: str) -> object:
    try:
        return running.ask(uri)
    except (OSError, w.WireError) as error:
        return str(error)


def test_what_is_in_the_way_is_said_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)

    def said(**env: str) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("WAMP", "FLASK", "PORT"))}
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", "wamp", "dev", "--port", str(taken.getsockname()[1])],
            cwd=tmp_path,
            env={**clean, "PYTHONPATH": str(ROOT), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        return done.stderr

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "'flask wamp router install' installs it" in said(WAMPFLASK_CROSSBAR="/nowhere/crossbar")
        crossbar = str(nodes.find_crossbar())
        assert re.search(r"Port \d+ is in use. .*wamp dev --port", said(WAMPFLASK_CROSSBAR=crossbar))
        assert "use 'flask run --debug'" in said(WAMP_URL="ws://127.0.0.1:1/ws")
        port = taken.getsockname()[1]
        assert dev.free_router_port(port, "127.0.0.1", pages=port + 1) > port + 1


def test_on_a_terminal_it_offers_to_install_the_router(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WAMP", "FLASK", "PORT"))}
    ours, theirs = os.openpty()
    os.write(ours, b"n\n")
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "wamp", "dev", "--port", str(free_port())],
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": str(ROOT), "WAMPFLASK_CROSSBAR": "/nowhere/crossbar"},
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert "Install it into .crossbar/venv now?" in done.stdout
    assert done.returncode == 1
    assert not (tmp_path / ".crossbar").exists()


def test_the_router_is_installed_with_lines_of_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a real pip into a real environment; the packages are small ones made here."""
    lines: list[str] = []
    sources = [wheel(tmp_path, name) for name in ("crossbar", "bjdata")]
    pins = tmp_path / "requirements.txt"
    pins.write_text("# pins\n" + "\n".join(map(str, sources)) + "\n")
    monkeypatch.setattr(installing, "REQUIREMENTS", pins)
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    program = installing.install(tmp_path / "venv", lines.append)

    assert os.access(program, os.X_OK)
    assert lines == [f"Making {tmp_path / 'venv'}", "  2 of 2 packages fetched", "  writing them"]
    assert not list((tmp_path / "venv").glob("lib/*/site-packages/bjdata*")), "taken out again"

    pins.write_text("wampflask-has-no-such-package==1\n")
    with pytest.raises(RouterError, match="cannot be installed: the package registry could not be reached"):
        installing.install(tmp_path / "venv", lines.append)
    (tmp_path / "link").symlink_to(tmp_path / "venv")
    with pytest.raises(RouterError, match="is a link to another environment"):
        installing.install(tmp_path / "link", lines.append)


def wheel(folder: Path, name: str) -> Path:
    """The least that pip installs."""
    info = f"{name}-1.dist-info"
    files = {
        f"{name}.py": "def main():\n    return 0\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    file = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))
    return file


def test_the_pins_are_whole_and_the_two_set_ups_agree() -> None:
    """The package's pins are what `make setup` installs, without a compiler in both."""
    pins = installing.REQUIREMENTS.read_text(encoding="utf-8").splitlines()[1:]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    assert any(line.startswith("crossbar==") for line in pins)
    steps = (ROOT / ".ci" / "setup_steps.py").read_text(encoding="utf-8")
    assert str(installing.REQUIREMENTS.relative_to(ROOT)) in steps
    assert all(f'"{name}": "{value}"' in steps for name, value in installing.NO_COMPILER.items())
    assert f'UNWANTED = "{installing.UNWANTED}"' in steps
