"""A form that came too late loses nothing, and shows nothing of another site's."""

from __future__ import annotations

import html
import re
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.apps.visiting import ADMIN, Visitor, ask, counts
from wampflask.in_memory import MemoryRealm

OURS = {"Origin": "http://localhost"}
POLL = {
    "text": "Which <b>cheese</b>\r\nwould you like?",
    "kind": "single",
    "visibility": "always",
    "choices-0-label": 'Comté "24 months"',
    "choices-1-label": "Brie & more",
}
EXPIRED = "Your session has expired. Your text is still here: send it again."


def shown(answer: TestResponse) -> list[tuple[str, str]]:
    """What the form on a page would send."""
    form = answer.text[answer.text.index('<form class="card') :]
    pairs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    return [(html.unescape(name), html.unescape(value)) for name, value in pairs]


def send_again(person: Visitor, answer: TestResponse) -> TestResponse:
    """Press the button."""
    action = re.search(r'<form class="card stack" method="post" action="([^"]*)"', answer.text)
    assert action, answer.text
    fields: dict[str, list[str]] = {}
    for name, value in shown(answer):
        fields.setdefault(name, []).append(value)
    return person.client.post(html.unescape(action[1]), data=fields, headers=OURS)


def forget_session(person: Visitor) -> None:
    person.client.delete_cookie("wampflask_session")


def test_an_expired_vote_is_sent_again(app: Flask, visitor: Visitor) -> None:
    question, (red, green, _) = ask(app)
    token = visitor.token(f"/polls/{question}/")
    forget_session(visitor)
    form = {"choice": [red, green], "csrf_token": token}
    answer = visitor.client.post(f"/polls/{question}/", data=form, headers=OURS)
    assert answer.status_code == 400
    assert EXPIRED in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert [pair for pair in shown(answer) if pair[0] == "choice"] == [("choice", str(red)), ("choice", str(green))]
    form["choice"] = [green]
    answer = visitor.client.post(f"/polls/{question}/", data=form, headers=OURS)
    assert send_again(visitor, answer).status_code == 302
    assert counts(app, question) == {"Red": 0, "Green": 1, "Blue": 0}


def test_a_poll_survives_the_log_in(app: Flask, realm: MemoryRealm) -> None:
    admin = Visitor(app).log_in()
    form = {**POLL, "csrf_token": admin.token("/polls/new")}
    forget_session(admin)
    answer = admin.client.post("/polls/new?from=here", data=form, headers=OURS)
    assert answer.status_code == 400
    assert "Which &lt;b&gt;cheese&lt;/b&gt;" in answer.text
    answer = send_again(admin, answer)
    assert answer.status_code == 401
    assert "log in, then send it again" in answer.text
    assert 'href="/login" target="_blank"' in answer.text
    admin.log_in(ADMIN)  # in another tab
    answer = send_again(admin, answer)
    assert answer.status_code == 302, answer.text
    page = admin.get(answer.location).text
    for text in ("cheese&lt;/b&gt;", "Comté &#34;24 months&#34;", "Brie &amp; more"):
        assert text in page


def test_the_admins_forms_survive_too(app: Flask, realm: MemoryRealm) -> None:
    admin = Visitor(app).log_in()
    token = admin.token("/admin/role/new/")
    forget_session(admin)
    form = {"name": "baker", "description": "Bakes", "csrf_token": token}
    answer = send_again(admin, admin.client.post("/admin/role/new/", data=form, headers=OURS))
    assert answer.status_code == 401
    admin.log_in(ADMIN)
    assert send_again(admin, answer).status_code == 302
    assert "baker" in admin.get("/admin/role/").text


def test_without_cookies_one_is_told(app: Flask, visitor: Visitor) -> None:
    question, (red, *_) = ask(app)
    visitor.client = app.test_client(use_cookies=False)
    path = f"/polls/{question}/"
    answer = visitor.client.post(path, data={"choice": red, "csrf_token": visitor.token(path)}, headers=OURS)
    assert EXPIRED in answer.text
    for _ in range(2):
        answer = send_again(visitor, answer)
        assert answer.status_code == 400
        assert "forms need cookies" in answer.text
    assert counts(app, question)["Red"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_form_is_not_shown(visitor: Visitor, headers: dict[str, str]) -> None:
    answer = visitor.client.post("/polls/1/", data={"choice": "evil"}, headers=headers)
    assert answer.status_code == 400
    assert "came from another site" in answer.text
    assert "evil" not in answer.text
    assert "Send again" not in answer.text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/login", {"email": ADMIN[0], "password": ADMIN[1]}),
        ("/change", {"password": ADMIN[1], "new_password": "x"}),
        ("/admin/user/new/", {"new_password": "swordfish", "email": ADMIN[0]}),
        ("/admin/media/", {"file": (BytesIO(b"a film"), "film.webm")}),
    ],
)
def test_passwords_and_files_are_not_kept(visitor: Visitor, path: str, fields: dict[str, Any]) -> None:
    answer = visitor.client.post(path, data=fields, headers=OURS)
    assert answer.status_code == 400
    assert "Open the page again" in answer.text
    for value in (ADMIN[1], "swordfish"):
        assert value not in answer.text


def test_a_button_alone(app: Flask, visitor: Visitor) -> None:
    answer = visitor.client.post("/chat/", headers=OURS)
    assert "Your session has expired. Send it again." in answer.text
    assert send_again(visitor, answer).status_code == 302


def test_programs_get_json(visitor: Visitor) -> None:
    answer = visitor.client.post("/chat/", headers={**OURS, "Accept": "application/json"})
    assert answer.status_code == 400
    assert answer.json is not None
    assert "session has expired" in answer.json["message"]
