"""The site's bridge: keys in the admin, and what a program with a key does on the site."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from tests.apps.visiting import USER, Visitor, ask
from tests.core.bridge.signer import body_of, signed
from wampflask.apps.chat import service as rooms
from wampflask.apps.chat.models import Message, Person
from wampflask.apps.errors import Invalid, NotFound
from wampflask.apps.extensions import db
from wampflask.apps.monitor.alerts import notifications
from wampflask.apps.polls.models import Vote
from wampflask.in_memory import MemoryRealm

KEYS = "/admin/keys/"


def make_key(admin: Visitor, name: str = "lights", role: str = "user", **more: Any) -> str:
    page = admin.post(KEYS, {"name": name, "role": role, "uris": "", "days": "", **more}, form=KEYS)
    assert page.status_code == 200
    found = re.search(r'<code id="made">([^<]+)</code>', page.text)
    assert found, page.text
    return found[1]


def call(app: Flask, key: str, procedure: str, *args: Any) -> tuple[int, Any]:
    name, _, secret = key.partition(".")
    body = body_of(procedure=procedure, args=list(args))
    sent = {"data": body, "query_string": signed(name, secret, body), "content_type": "application/json"}
    answer = app.test_client().post("/bridge/call", **sent)
    return answer.status_code, answer.get_json()


def room(app: Flask, label: str) -> None:
    with app.app_context():
        rooms.new_room(db.session(), label)
        db.session.commit()


def test_a_key_is_shown_once_and_can_be_revoked(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    key = make_key(admin, uris="chat.say polls", days="7")
    name, _, secret = key.partition(".")
    page = admin.get(KEYS)
    assert page.headers["Cache-Control"].endswith("no-store")
    assert secret not in page.text
    assert "chat.say polls" in page.text
    room(app, "kitchen")
    assert call(app, key, "chat.say", "kitchen", "Hello")[0] == 200
    assert call(app, key, "chat.rename", "kitchen", "Boss")[0] == 403
    assert "<td>never</td>" not in admin.get(KEYS).text
    assert admin.post(f"{KEYS}revoke?name={name}", form=KEYS).status_code == 302
    assert call(app, key, "chat.say", "kitchen", "Hello")[0] == 401
    assert "key:lights" in realm.revoked


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": "Lights"}, "cannot be a key"),
        ({"name": "x" * 61}, "Field cannot be longer than 60"),
        ({"uris": "wamp.session"}, "reserved word"),
        ({"role": "backend"}, "Not a valid choice"),
        ({"days": "0"}, "Number must be between"),
    ],
    ids=str,
)
def test_keys_that_cannot_be_are_refused_on_the_form(admin: Visitor, wrong: dict[str, str], why: str) -> None:
    page = admin.post(KEYS, {"name": "lights", "role": "user", **wrong}, form=KEYS)
    assert why in page.text
    assert 'id="made"' not in page.text


def test_keys_are_for_admins(app: Flask, realm: MemoryRealm) -> None:
    assert Visitor(app).get(KEYS).status_code == 302
    assert Visitor(app).log_in(USER).get(KEYS).status_code == 403
    assert Visitor(app).log_in(USER).post(f"{KEYS}revoke?name=lights").status_code == 403
    assert realm.revoked == []


def test_a_key_writes_into_a_room_under_its_name(app: Flask, admin: Visitor) -> None:
    room(app, "kitchen")
    key = make_key(admin)
    status, answer = call(app, key, "chat.say", "kitchen", "The tea is ready.", "token-0001")
    assert (status, answer["args"][0]["name"], answer["args"][0]["guest"]) == (200, "lights", False)
    assert call(app, key, "chat.say", "kitchen", "The tea is ready.", "token-0001")[1] == answer
    assert call(app, key, "chat.say", "cellar", "Hello")[1]["error"] == "chat.error.not_found"
    assert call(app, key, "chat.moderate", "kitchen", 1, "ban")[1]["error"] == "chat.error.not_yours"
    with app.app_context():
        assert db.session.query(Message).count() == 1


def test_a_key_is_one_voter(app: Flask, admin: Visitor) -> None:
    question, choices = ask(app)
    key, other = make_key(admin), make_key(admin, "doorbell")
    status, answer = call(app, key, "polls.question.vote", question, [choices[0]])
    assert (status, answer["args"][0]["voters"], answer["args"][0]["voted"]) == (200, 1, [choices[0]])
    changed = call(app, key, "polls.question.vote", question, [choices[1]])[1]["args"][0]
    assert (changed["voters"], changed["voted"]) == (1, [choices[1]])
    assert call(app, other, "polls.question.vote", question, [choices[1]])[1]["args"][0]["voters"] == 2
    for wrong in ([], [choices[0], choices[1]], ["1"], "1", None, [10**9]):
        assert call(app, key, "polls.question.vote", question, wrong)[1]["error"] == "polls.error.invalid"
    assert call(app, key, "polls.question.vote", 10**6, [1])[1]["error"] == "polls.error.not_found"
    with app.app_context():
        assert sorted(vote.voter for vote in db.session.query(Vote)) == ["key:doorbell", "key:lights"]


def test_an_alert_is_written_into_a_room(app: Flask, realm: MemoryRealm) -> None:
    room(app, "kitchen")
    with app.test_request_context():
        assert notifications.check_address(" room://kitchen ") == "room://kitchen"
        with pytest.raises(NotFound):
            notifications.check_address("room://cellar")
        with pytest.raises(Invalid):
            notifications.check_address("room://No such room")
        db.session.rollback()
        assert notifications.send_test("Kitchen", "room://kitchen") == ""
        assert "no such room" in notifications.deliver("room://cellar", notifications.Message("a", "b", "info"))
        message = db.session.query(Message).one()
        assert message.name == "wampflask"
        assert message.text.startswith("Test notification from wampflask\nThis is a test of the channel Kitchen.")
        assert db.session.query(Person).one().guest is False
    assert [event.topic for event in realm.published if event.topic.startswith("chat.room.kitchen.message")]
