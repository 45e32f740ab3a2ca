"""The README's first example: its files and its commands, taken from the page."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from wampflask.router import node as nodes
from wampflask.router.wire import wait_until
from wampflask.testing import free_port

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:# |\{# )([\w/.]+)")
FLASK_PORT, GUNICORN_PORT = "5000", "8080"  # as printed


def fences(language: str) -> list[str]:
    """The README's code of one language."""
    found = FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    return [block for name, block in found if name == language]


def files() -> dict[str, str]:
    """What the README names as files of the example."""
    blocks = [*fences("python"), *fences("html")]
    return {named[1]: block for block in blocks if (named := NAMED.match(block))}


def commands(begin: str) -> list[str]:
    """The printed command lines that begin so, without their comments."""
    lines = [line.split("  #")[0].strip() for block in fences("") for line in block.splitlines()]
    return [line for line in lines if line.startswith(begin)]


class ReadmeShop:
    """The example in a folder of its own, and what has been started there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        for name, text in files().items():
            file = folder / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        self._log = folder / "log"
        self._programs: list[subprocess.Popen[bytes]] = []

    @property
    def log(self) -> str:
        return self._log.read_text()

    def develop(self) -> None:
        """By the first command, as it is printed; but on a port that is free."""
        (command,) = commands("flask --app app wamp dev")
        port = free_port()
        self._start(f"{command} --port {port}")
        self.url = f"http://localhost:{port}/"
        assert wait_until(lambda: f"Ready: {self.url[:-1]}" in self.log, 60), self.log

    def serve(self) -> None:
        """By the two commands for several workers."""
        port, wamp_port = str(free_port()), str(free_port())
        environment = {"PORT": port, "WAMP_PORT": wamp_port}
        (router,), (gunicorn,) = commands("flask --app app wamp router run"), commands("gunicorn")
        self._start(router.rstrip(" &"), **environment)
        assert wait_until(lambda: not nodes.is_free(int(wamp_port)), 60), self.log
        gunicorn = gunicorn.replace(f":{GUNICORN_PORT}", f"127.0.0.1:{port}").replace("'", "")
        self._start(f"{gunicorn} --no-control-socket", **environment)
        self.url = f"http://localhost:{port}/"
        assert wait_until(self._answers, 30), self.log

    def _answers(self) -> bool:
        try:
            with urlopen(self.url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def _start(self, line: str, **environment: str) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("WAMP", "FLASK", "PORT"))}
        env |= {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        env |= {nodes.CROSSBAR_ENV: str(nodes.find_crossbar()), **environment}
        with self._log.open("ab") as log:
            started = subprocess.Popen(
                line.split(), cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
        self._programs.append(started)

    def stop(self) -> None:
        """End everything that runs."""
        while self._programs:
            program = self._programs.pop()
            program.send_signal(signal.SIGTERM)
            try:
                program.wait(30)
            finally:
                if program.poll() is None:
                    os.killpg(program.pid, signal.SIGKILL)
                    program.wait()


@contextmanager
def readme_shop() -> Iterator[ReadmeShop]:
    """The example; nothing is started yet."""
    folder = Path(tempfile.mkdtemp(prefix="wf-"))  # short, for the router's socket
    shop = ReadmeShop(folder)
    try:
        yield shop
    finally:
        shop.stop()
        shutil.rmtree(folder)
