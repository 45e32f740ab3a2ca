"""People of the running site: with cookies, and without pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlencode

from playwright.sync_api import APIRequestContext, APIResponse, BrowserContext

from .live_site import LiveSite

CSRF_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
AGENT_TOKEN = re.compile(r"--token ([\w-]{20,})")


class Person:
    """Somebody with cookies of their own, who sends forms without a page: to bring about what pages then show."""

    def __init__(self, site: LiveSite, request: APIRequestContext) -> None:
        self._site = site
        self._request = request

    def post(self, path: str, form_page: str, **fields: str | Sequence[str]) -> APIResponse:
        """Send a form to ``path`` with the token that ``form_page`` has."""
        found = CSRF_TOKEN.search(self._request.get(self._site.url + form_page).text())
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
    """Makes and changes polls, and adds hosts."""

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

    def new_token(self, *, reusable: bool = False) -> str:
        """An agent's token from the page “Add a host”."""
        fields = {"note": "a test", "hours": "24", **({"reusable": "y"} if reusable else {})}
        answer = self.post("/hosts/add", "/hosts/add", **fields)
        found = AGENT_TOKEN.search(answer.text())
        assert found, answer.text()
        return found[1]


def _question(text: str, choices: Sequence[str], kind: str, visibility: str, may_change: bool) -> dict[str, str]:
    fields = {"text": text, "kind": kind, "visibility": visibility}
    fields |= {f"choices__{place}__label": label for place, label in enumerate(choices)}
    return fields | ({"may_change": "y"} if may_change else {})
