"""The whole site, running: Crossbar, two gunicorn workers, an instance folder of its own, an admin."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

from wampflask.router.wire import wait_until
from wampflask.testing import RouterNode, free_port

from . import databases
from .contracts import declared_by_the_site

ROOT = Path(__file__).resolve().parents[1]


class LiveSite:
    """``url``, ``node`` (the router: kill it, start it again), and the admin's address and password.

    :param env: more of its environment.
    :param app: what gunicorn loads.
    :param options: of the router's node.
    """

    def __init__(
        self,
        folder: Path,
        public_url: str = "",
        env: Mapping[str, str] | None = None,
        app: str = "wsgi:app",
        **options: Any,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.node = RouterNode(declared_by_the_site(), folder=folder, **options)
        self.public_url = public_url or self.url
        self._more = env or {}
        self._app = app
        self.admin_email = ""
        self.admin_password = ""
        self._web: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        """What the workers said."""
        return self.folder / "web.log"

    def start(self) -> Self:
        """Prepare the instance, start everything, wait until the site says that it is ready."""
        self.node.start()
        admin = _init(self.env()) if databases.SERVER else self._copy()
        self.admin_email, self.admin_password = admin["email"], admin["password"]
        self._web = self._gunicorn(self.port, workers=2)
        assert wait_until(self.is_ready, 30), self.log_file.read_text()
        return self

    @property
    def database(self) -> str:
        """The address of its database."""
        return databases.url_in(self.folder, "wampflask")

    @property
    def pid(self) -> int:
        """Gunicorn's."""
        assert self._web is not None
        return self._web.pid

    def is_ready(self) -> bool:
        """Whether pages, database and router work together."""
        return _is_healthy(self.url)

    @contextmanager
    def another_worker(self, **env: str) -> Iterator[str]:
        """One more worker, on a port of its own; gives its address.

        :param env: what its environment has besides.
        """
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        process = self._gunicorn(port, workers=1, **env)
        try:
            assert wait_until(lambda: _is_healthy(url), 30), self.log_file.read_text()
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)

    def _copy(self) -> dict[str, str]:
        prepared, admin = _prepared()
        for file in ("wampflask.db", "secrets.json"):
            shutil.copy(prepared / file, self.folder / file)
        return admin

    def _gunicorn(self, port: int, *, workers: int, **env: str) -> subprocess.Popen[bytes]:
        how = f"--worker-class wampflask.apps.worker.Worker --workers {workers} --threads 8 --graceful-timeout 2"
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *how.split()]
        command += ["--no-control-socket", self._app]
        with self.log_file.open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env={**self.env(), **env}, stdout=log, stderr=log)

    def stop(self) -> None:
        """End everything that start() began."""
        if self._web is not None:
            self._web.send_signal(signal.SIGTERM)
            self._web.wait(timeout=20)
        self.node.close()

    def run(self, code: str) -> None:
        """Run Python code in a process of its own that is not one of the site's."""
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=self.env(), check=True)

    def env(self) -> dict[str, str]:
        """The environment of every program of this site."""
        ours = {"INSTANCE": str(self.folder), "WAMP_PORT": str(self.node.port), "WAMPFLASK_PUBLIC_URL": self.public_url}
        if databases.SERVER:
            ours["WAMPFLASK_DATABASE_URL"] = self.database
        return {**os.environ, **ours, **self._more}


@cache
def _prepared() -> tuple[Path, dict[str, str]]:
    """Return a folder with the database and secrets of a new site, to be copied, and its admin."""
    folder = Path(tempfile.mkdtemp(prefix="wampflask-site-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, _init({**os.environ, "INSTANCE": str(folder)})


def _init(env: Mapping[str, str]) -> dict[str, str]:
    """Make a new site, and return its admin's address and password."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "site", "init", "--json", "--admin", "asker@example.org"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made: dict[str, str] = json.loads(done.stdout)["admin"]
    return made


def _is_healthy(url: str) -> bool:
    try:
        with urlopen(f"{url}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@contextmanager
def live_site_in(folder: Path, public_url: str = "", **more: Any) -> Iterator[LiveSite]:
    """A running site.

    :param public_url: what its QR codes say; by default its own address.
    :param more: of :class:`LiveSite`.
    """
    site = LiveSite(folder, public_url, **more)
    try:
        yield site.start()
    finally:
        site.stop()
