"""An app in a folder of its own, by the one command that developers start it with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wampflask.router import node as nodes
from wampflask.router.wire import wait_until
from wampflask.testing import free_port

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def folder_for_router() -> Iterator[Path]:
    """A new folder whose path is short enough for the router's socket."""
    folder = Path(tempfile.mkdtemp(prefix="wf-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def developed(folder: Path) -> Iterator[str]:
    """``flask --app app wamp dev`` in the folder of an ``app.py``, ready; the address of its pages."""
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("WAMP", "FLASK", "PORT"))}
    env |= {"PYTHONPATH": str(ROOT), nodes.CROSSBAR_ENV: str(nodes.find_crossbar())}
    command = [sys.executable, "-m", "flask", "--app", "app", "wamp", "dev", "--port", str(port)]
    log = folder / "log"
    with log.open("wb") as output:
        program = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        assert wait_until(lambda: "Ready" in log.read_text() or program.poll() is not None, 60), log.read_text()
        assert program.poll() is None, log.read_text()
        yield f"http://localhost:{port}"
    finally:
        program.terminate()
        try:
            program.wait(30)
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
