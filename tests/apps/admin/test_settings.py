"""Live settings in the admin, and the limits that the site has so."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from tests.apps.conftest import make
from tests.apps.visiting import USER, Visitor
from wampflask.apps.extensions import wamp
from wampflask.in_memory import MemoryRealm, in_memory

PAGE = "/admin/settings/"


def save(admin: Visitor, text: str, name: str = "chat.rate", **more: str) -> int:
    return admin.post(PAGE, {"name": name, "text": text, **more}).status_code


def test_a_setting_is_changed_shown_and_taken_back(app: Flask, admin: Visitor) -> None:
    assert "The default." in admin.get(PAGE).text
    assert save(admin, " 5 per minute ") == 302
    page = admin.get(PAGE).text
    assert 'value="5 per minute"' in page
    assert "Back to 30 per minute" in page
    assert "admin@example.org" in page
    with app.app_context():
        assert wamp.settings["chat.rate"].amount == 5
    save(admin, "", action="reset")
    with app.app_context():
        assert wamp.settings["chat.rate"].amount == 30


@pytest.mark.parametrize("text", ["fast", "", "5 per minute; 6 per hour"])
def test_what_cannot_be_is_refused_and_stays_in_the_field(app: Flask, admin: Visitor, text: str) -> None:
    answer = admin.post(PAGE, {"name": "chat.rate", "text": text})
    assert answer.status_code == 400
    assert f'value="{text}"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    with app.app_context():
        assert wamp.settings["chat.rate"].amount == 30


def test_unknown_settings_and_people_without_the_right(app: Flask, admin: Visitor) -> None:
    user = Visitor(app).log_in(USER)
    assert save(admin, "5", name="no.such") == 404
    assert user.post(PAGE, {"name": "chat.rate", "text": "5 per minute"}).status_code == 403
    assert Visitor(app).get(PAGE).status_code in (302, 403)


def test_what_the_configuration_sets_is_said_and_cannot_be_edited(instance: Path) -> None:
    app = make(instance, WAMPFLASK_CHAT_RATE="7 per minute")
    with in_memory(app) as realm:
        admin = Visitor(app).log_in()
        page = admin.get(PAGE).text
        assert "Set by <code>WAMPFLASK_CHAT_RATE</code>" in page
        assert 'value="7 per minute"' in page
        assert save(admin, "9 per minute") == 400
        realm.store.close()


def test_the_limits_of_log_ins_follow_at_once(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    save(admin, "1 per hour", name="accounts.login_attempts")
    stranger = Visitor(app)
    wrong = {"email": "user@example.org", "password": "wrong"}
    assert stranger.post("/login", wrong).status_code != 429
    assert stranger.post("/login", wrong).status_code == 429
