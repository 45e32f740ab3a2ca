"""People at the site, for tests: a browser without JavaScript, and what they do there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask
from werkzeug.test import Cookie, TestResponse

from wampflask.apps.extensions import db
from wampflask.apps.polls import service
from wampflask.apps.polls.models import Kind, Question, Visibility
from wampflask.in_memory import MemoryRealm

ADMIN = ("admin@example.org", "correct horse battery")
USER = ("user@example.org", "paper stapler lamp")


class Visitor:
    """One browser: cookies, and forms with their tokens."""

    def __init__(self, app: Flask, address: str = "127.0.0.1") -> None:
        self.client = app.test_client()
        self.client.environ_base["REMOTE_ADDR"] = address

    def cookies(self) -> list[Cookie]:
        return list((self.client._cookies or {}).values())

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.client.get(path, **kwargs)

    def token(self, path: str = "/login") -> str:
        """The CSRF token of a page with a form."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(path, follow_redirects=True).text)
        assert found, f"no form on {path}"
        return found[1]

    def post(
        self, path: str, data: Mapping[str, Any] | None = None, *, form: str = "/login", **kwargs: Any
    ) -> TestResponse:
        """Send a form with the token that the page ``form`` has."""
        return self.client.post(path, data={**(data or {}), "csrf_token": self.token(form)}, **kwargs)

    def vote(self, question_id: int, *choice_ids: Any, **kwargs: Any) -> TestResponse:
        page = f"/polls/{question_id}/"
        token = self.token(page)
        return self.client.post(page, data={"choice": list(choice_ids), "csrf_token": token}, **kwargs)

    def log_in(self, who: tuple[str, str] = ADMIN) -> Visitor:
        answer = self.post("/login", {"email": who[0], "password": who[1]})
        assert answer.status_code == 302, answer.text
        return self

    def snapshot(self, question_id: int) -> dict[str, Any]:
        return dict(self.get(f"/polls/{question_id}/snapshot.json").json or {})


def ask(
    app: Flask,
    labels: Sequence[str] = ("Red", "Green", "Blue"),
    *,
    text: str = "Which colour?",
    kind: Kind = Kind.SINGLE,
    visibility: Visibility = Visibility.ALWAYS,
    may_change: bool = True,
) -> tuple[int, list[int]]:
    """A new question; its id and its choices' ids."""
    with app.app_context():
        question = service.create_question(
            db.session(),
            service.QuestionDraft(
                text=text,
                choices=[service.ChoiceDraft(label) for label in labels],
                kind=kind,
                visibility=visibility,
                may_change=may_change,
            ),
        )
        db.session.commit()
        return question.id, [choice.id for choice in question.choices]


def told(realm: MemoryRealm, question_id: int) -> list[dict[str, Any]]:
    """What all pages of a question were sent, oldest first."""
    return [event.args[0] for event in realm.published if event.topic == f"polls.question.update.{question_id}"]


def counts(app: Flask, question_id: int) -> dict[str, int]:
    """The votes by label, from the database."""
    with app.app_context():
        return {choice.label: choice.votes for choice in db.session.get_one(Question, question_id).choices}
