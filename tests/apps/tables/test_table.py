"""The live table by forms, by its procedures, by the admin and by a command: one set of rules for all of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from tests.apps.visiting import Visitor
from wampflask import CallFailed
from wampflask.apps.extensions import db
from wampflask.apps.tables import service
from wampflask.apps.tables.models import IntegerValue
from wampflask.caller import Caller
from wampflask.in_memory import MemoryRealm

USER = Caller(session=3, authid="user:2", role="user")


def rows(app: Flask) -> list[tuple[str, int, int]]:
    with app.app_context():
        return [(row.name, row.value, row.version) for row in service.rows(db.session())]


def told(realm: MemoryRealm) -> list[tuple[str, Any]]:
    found = [(event.topic, event.args[0].get("version")) for event in realm.published]
    realm.published.clear()
    return found


def test_forms_add_change_and_delete(app: Flask, realm: MemoryRealm, visitor: Visitor, admin: Visitor) -> None:
    assert visitor.post("/tables/", {"name": " Cups  of tea ", "value": "3"}).status_code == 302
    assert rows(app) == [("Cups of tea", 3, 1)]
    assert visitor.post("/tables/1", {"name": "Cups", "value": "-4", "version": "1"}).status_code == 302
    assert rows(app) == [("Cups", -4, 2)]
    assert admin.post("/tables/1/delete", {"version": "2"}).status_code == 302
    assert rows(app) == []
    changed = "tables.integer_value.1.changed"
    assert told(realm) == [(changed, 1), (changed, 2), ("tables.integer_value.1.deleted", 3)]


def test_a_conflict_shows_both(app: Flask, realm: MemoryRealm, visitor: Visitor, admin: Visitor) -> None:
    visitor.post("/tables/", {"name": "Cups", "value": "1"})
    visitor.post("/tables/1", {"name": "Cups", "value": "2", "version": "1"})
    told(realm)
    answer = visitor.post("/tables/1", {"name": "Cups", "value": "77", "version": "1"})
    assert answer.status_code == 409
    assert 'value="77"' in answer.text
    assert "Cups = 2" in re.sub(r"<[^>]*>", "", answer.text)
    assert admin.post("/tables/1/delete", {"version": "1"}).status_code == 409
    assert (rows(app), told(realm)) == ([("Cups", 2, 2)], [])


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "", "value": "1"},
        {"name": "\u200b ", "value": "1"},
        {"name": "x" * 101, "value": "1"},
        {"name": "a", "value": ""},
        {"name": "a", "value": "many"},
        {"name": "a", "value": "2147483648"},
        {"name": "taken", "value": "1"},
    ],
)
def test_bad_values_are_refused(app: Flask, realm: MemoryRealm, visitor: Visitor, fields: dict[str, str]) -> None:
    for name in ("taken", "other"):
        visitor.post("/tables/", {"name": name, "value": "1"})
    told(realm)
    for path in ("/tables/", "/tables/2"):
        answer = visitor.post(path, {**fields, "version": "1"})
        assert answer.status_code == 422
        assert 'role="alert" data-table-part="trouble" tabindex="-1" autofocus>' in answer.text
        for field in ("name", "value"):  # nothing that was written is lost
            assert re.search(rf'name="{field}" value="{fields[field]}"', answer.text)
    assert rows(app) == [("taken", 1, 1), ("other", 1, 1)]
    assert told(realm) == []


def test_what_is_gone_is_said_to_be_gone(visitor: Visitor, admin: Visitor) -> None:
    answer = visitor.post("/tables/9", {"name": "a", "value": "1", "version": "1"})
    assert (answer.status_code, "deleted this row" in answer.text) == (404, True)
    assert 'name="name" value="a"' in answer.text  # to be added again
    assert admin.post("/tables/9/delete", {"version": "x"}).status_code == 422


def test_deleting_is_for_those_who_are_logged_in(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    visitor.post("/tables/", {"name": "a", "value": "1"})
    assert "/login" in visitor.post("/tables/1/delete", {"version": "1"}).location
    with pytest.raises(CallFailed) as refusal:
        realm.invoke("tables.integer_value.delete", 1, 1)
    assert refusal.value.uri == "tables.error.not_allowed"
    assert realm.invoke("tables.integer_value.delete", 1, 1, caller=USER)["deleted"]


def test_the_table_has_a_limit(realm: MemoryRealm, monkeypatch: pytest.MonkeyPatch, visitor: Visitor) -> None:
    monkeypatch.setattr(service, "ROWS_MAX", 1)
    assert realm.invoke("tables.integer_value.create", {"name": "a", "value": 1})["version"] == 1
    with pytest.raises(CallFailed) as refusal:
        realm.invoke("tables.integer_value.create", {"name": "b", "value": 1})
    assert refusal.value.uri == "tables.error.not_allowed"
    assert "full" in visitor.post("/tables/", {"name": "b", "value": "1"}).text


def test_commits_anywhere_in_the_app_are_told(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    new = "/admin/integer_values/new/"
    assert admin.post(new, {"name": "from the admin", "value": "1"}, form=new).status_code == 302
    edit = "/admin/integer_values/edit/?id=1"
    assert admin.post(edit, {"name": "from the admin", "value": "2"}, form=edit).status_code == 302
    with app.app_context():
        db.session.add(IntegerValue(name="from a command", value=1))
        db.session.commit()
    topic = "tables.integer_value.{}.changed"
    assert told(realm) == [(topic.format(1), 1), (topic.format(1), 2), (topic.format(2), 1)]
    refused = admin.post(new, {"name": "\u200b", "value": "1"}, form=new)
    assert "A name needs some text." in refused.text


def test_a_key_is_never_given_twice(realm: MemoryRealm) -> None:
    first = realm.invoke("tables.integer_value.create", {"name": "a"}, caller=USER)
    realm.invoke("tables.integer_value.delete", first["pk"], 1, caller=USER)
    assert realm.invoke("tables.integer_value.create", {"name": "a"}, caller=USER)["pk"] > first["pk"]
