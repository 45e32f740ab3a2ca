"""The whole site for browser tests: Crossbar, two gunicorn workers, an instance folder of its own, an admin."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from playwright.sync_api import APIRequestContext, APIResponse, BrowserContext

from tests.contracts import declared_by_the_site
from wampflask.router.wire import wait_until
from wampflask.testing import RouterNode, free_port

ROOT = Path(__file__).resolve().parents[2]
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class LiveSite:
    """``url``, ``node`` (the router: kill it, start it again), and the admin's address and password."""

    def __init__(self, folder: Path, public_url: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.node = RouterNode(declared_by_the_site(), folder=folder)
        self.public_url = public_url or self.url
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
        done = self._run("-m", "flask", "--app", "wsgi", *["site", "init", "--json", "--admin", "asker@example.org"])
        admin = json.loads(done)["admin"]
        self.admin_email, self.admin_password = admin["email"], admin["password"]
        how = "--worker-class wampflask.apps.worker.Worker --workers 2 --threads 8 --graceful-timeout 2"
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", *how.split()]
        command += ["--no-control-socket", "wsgi:app"]
        with self.log_file.open("wb") as log:
            self._web = subprocess.Popen(command, cwd=ROOT, env=self._env(), stdout=log, stderr=log)
        assert wait_until(self.is_ready, 30), self.log_file.read_text()
        return self

    def is_ready(self) -> bool:
        """Whether pages, database and router work together."""
        try:
            with urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def stop(self) -> None:
        """End everything that start() began."""
        if self._web is not None:
            self._web.send_signal(signal.SIGTERM)
            self._web.wait(timeout=20)
        self.node.close()

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._env(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _env(self) -> dict[str, str]:
        ours = {"INSTANCE": str(self.folder), "WAMP_PORT": str(self.node.port), "WAMPFLASK_PUBLIC_URL": self.public_url}
        return {**os.environ, **ours}


@contextmanager
def live_site_in(folder: Path, public_url: str = "") -> Iterator[LiveSite]:
    """A running site.

    :param public_url: what its QR codes say; by default its own address.
    """
    site = LiveSite(folder, public_url)
    try:
        yield site.start()
    finally:
        site.stop()


class Person:
    """Somebody with cookies of their own, who sends forms without a page: to bring about what pages then show."""

    def __init__(self, site: LiveSite, request: APIRequestContext) -> None:
        self._site = site
        self._request = request

    def post(self, path: str, form_page: str, **fields: str | Sequence[str]) -> APIResponse:
        """Send a form to ``path`` with the token that ``form_page`` has."""
        found = TOKEN.search(self._request.get(self._site.url + form_page).text())
        assert found, f"no form at {form_page}"
        pairs = [("csrf_token", found[1])]
        for name, value in fields.items():
            values = [value] if isinstance(value, str) else value
            pairs += [(name.replace("__", "-"), one) for one in values]
        body = urlencode(pairs)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._request.post(self._site.url + path, data=body, headers=headers)

    def vote(self, poll: int, *choices: int) -> APIResponse:
        """Vote as a browser without JavaScript would."""
        return self.post(f"/polls/{poll}/", f"/polls/{poll}/", choice=[str(choice) for choice in choices])


class Admin(Person):
    """Makes and changes polls."""

    def __init__(self, site: LiveSite, context: BrowserContext) -> None:
        super().__init__(site, context.request)
        self.context = context
        form = {"email": site.admin_email, "password": site.admin_password}
        answer = self.post("/login", "/login", **form)
        assert answer.ok
        assert not answer.url.endswith("/login"), answer.text()

    def new_poll(
        self,
        text: str,
        *choices: str,
        kind: str = "single",
        visibility: str = "always",
        may_change: bool = True,
    ) -> int:
        """Ask a question; its id."""
        answer = self.post("/polls/new", "/polls/new", **_question(text, choices, kind, visibility, may_change))
        assert answer.ok, answer.text()
        found = re.search(r"/polls/(\d+)/$", answer.url)
        assert found, answer.text()
        return int(found[1])

    def edit_poll(
        self,
        poll: int,
        text: str,
        choices: Sequence[tuple[int, str]],
        *,
        kind: str = "single",
        visibility: str = "always",
        may_change: bool = True,
    ) -> None:
        """Change wording: ``choices`` as (id, label), 0 for a new one."""
        fields = _question(text, [label for _, label in choices], kind, visibility, may_change)
        fields |= {f"choices__{place}__choice_id": str(key or "") for place, (key, _) in enumerate(choices)}
        answer = self.post(f"/polls/{poll}/edit", f"/polls/{poll}/edit", **fields)
        assert answer.ok, answer.text()

    def do(self, poll: int, action: str) -> None:
        """``open``, ``close``, ``reset`` or ``delete``."""
        answer = self.post(f"/polls/{poll}/{action}", "/polls/new", confirm="1")
        assert answer.ok, answer.text()

    def choices(self, poll: int) -> list[int]:
        """The ids of a poll's choices, in their order."""
        snapshot = self._request.get(f"{self._site.url}/polls/{poll}/snapshot.json").json()
        return [choice["id"] for choice in snapshot["choices"]]

    def snapshot(self, poll: int) -> dict[str, object]:
        """The poll as the server counts it."""
        answer: dict[str, object] = self._request.get(f"{self._site.url}/polls/{poll}/snapshot.json").json()
        return answer


def _question(text: str, choices: Sequence[str], kind: str, visibility: str, may_change: bool) -> dict[str, str]:
    fields = {"text": text, "kind": kind, "visibility": visibility}
    fields |= {f"choices__{place}__label": label for place, label in enumerate(choices)}
    return fields | ({"may_change": "y"} if may_change else {})
