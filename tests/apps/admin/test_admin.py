"""The admin: for admins alone, under the same rules as everything else, and told to open pages just the same."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

import pytest
from flask import Flask

from tests.apps.visiting import ADMIN, USER, Visitor, ask, counts, told
from wampflask.apps.accounts import service as accounts
from wampflask.apps.db import Base
from wampflask.apps.extensions import db
from wampflask.apps.polls import service
from wampflask.apps.polls.models import Kind, Question, Visibility
from wampflask.in_memory import MemoryRealm

# Flask-Admin 2.2.1 still speaks to WTForms 3.3 as to older ones; the words are WTForms's own.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Yielding raw tuples from iter_choices:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Passing SelectField choices as tuples:DeprecationWarning"),
]

LISTS = ("questions", "choices", "votes", "user", "role")


def fields(page: str) -> dict[str, Any]:
    """A form's inputs as the browser would send them."""
    form = page[page.index('<form method="POST"') if '<form method="POST"' in page else page.index("<form") :]
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]+>", form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if "name" in attributes and (attributes.get("type") != "checkbox" or " checked" in tag):
            found[attributes["name"]] = attributes.get("value", "")
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.findall(r'<option selected value="([^"]*)"', options)
        found[name] = chosen or re.findall(r'value="([^"]*)"', options)[: "multiple" not in attributes_of(form, name)]
    return found


def attributes_of(form: str, name: str) -> str:
    found = re.search(rf'<select[^>]*name="{name}"[^>]*>', form)
    return found[0] if found else ""


def user_id(app: Flask, who: tuple[str, str]) -> int:
    with app.app_context():
        return accounts.user_with(db.session(), who[0]).id


@pytest.mark.parametrize("path", ["/admin/", *(f"/admin/{name}/" for name in LISTS), "/admin/questions/new/"])
def test_for_admins_alone(app: Flask, realm: MemoryRealm, admin: Visitor, path: str) -> None:
    assert admin.get(path).status_code == 200
    answer = Visitor(app).get(path)
    assert answer.status_code == 302
    assert answer.location.startswith("/login?next=")
    user = Visitor(app).log_in(USER).get(path)
    assert user.status_code == 403
    assert "You don&#39;t have access" in user.text


def test_every_model_of_an_app_with_an_admin_is_there(app: Flask) -> None:
    # On its vote's page; gone in a minute; measurements by the thousand.
    apart = {"Pick", "Presence", "Reading", "Rollup"}
    shown = {view.model.__name__ for view in app.extensions["admin"][0]._views if hasattr(view, "model")}
    packages = {mapper.class_.__name__: mapper.class_.__module__.rpartition(".")[0] for mapper in Base.registry.mappers}
    assert {name for name, package in packages.items() if find_spec(f"{package}.admin")} - shown <= apart


def test_editing_a_question_tells_open_pages(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, *_) = ask(app)
    admin.vote(question, red)
    path = f"/admin/questions/edit/?id={question}"
    form = fields(admin.get(path).text)
    assert form["text"] == "Which colour?"
    assert form["csrf_token"]
    changed = {**form, "text": "Which color?", "state": "closed", "choices-0-label": "Ruby"}
    answer = admin.client.post(path, data=changed)
    assert answer.status_code == 302, answer.text
    payload = told(realm, question)[-1]
    assert payload["text"] == "Which color?"
    assert payload["open"] is False
    assert payload["choices"][0]["label"] == "Ruby"
    assert counts(app, question) == {"Ruby": 1, "Green": 0, "Blue": 0}


def test_the_form_has_what_is_stored(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, _ = ask(app, kind=Kind.MULTIPLE, visibility=Visibility.AFTER_CLOSE, may_change=False)
    path = f"/admin/questions/edit/?id={question}"
    before = admin.snapshot(question)
    form = fields(admin.get(path).text)
    assert (form["kind"], form["state"], form["visibility"]) == (["multiple"], ["open"], ["after_close"])
    assert "may_change" not in form
    assert admin.client.post(path, data=form).status_code == 302
    assert admin.snapshot(question) == before, "saved as it was: nothing has changed"
    for field, wrong in (("kind", "triple"), ("state", ""), ("visibility", "ALWAYS"), ("text", "x" * 301)):
        assert admin.client.post(path, data={**form, field: wrong}).status_code == 200, field
    assert admin.snapshot(question) == before


@pytest.mark.parametrize(
    "query",
    ["flt0_0=1", "flt0_0=x", "flt0_2=0", "flt9_99=x", "search=colour", "sort=2&desc=1", "page=7", "page_size=10"],
)
def test_lists_can_be_searched(app: Flask, realm: MemoryRealm, admin: Visitor, query: str) -> None:
    ask(app)
    assert admin.get(f"/admin/questions/?{query}").status_code == 200


def test_a_new_question_with_its_choices(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    form = {
        **fields(admin.get("/admin/questions/new/").text),
        "text": "From the admin?",
        "kind": "single",
        "state": "open",
        "visibility": "always",
        "choices-0-label": "Yes",
        "choices-0-position": "0",
        "choices-1-label": "No",
        "choices-1-position": "1",
    }
    answer = admin.client.post("/admin/questions/new/", data=form)
    assert answer.status_code == 302, answer.text
    with app.app_context():
        question = db.session.scalars(db.select(Question.id)).one()
    (payload,) = told(realm, question)
    assert (payload["text"], payload["version"]) == ("From the admin?", 1)
    assert [choice["label"] for choice in payload["choices"]] == ["Yes", "No"]


def test_a_question_without_choices_is_refused_in_words(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    form = {**fields(admin.get("/admin/questions/new/").text), "text": "Alone?"}
    answer = admin.client.post("/admin/questions/new/", data=form)
    assert answer.status_code == 200
    assert "A question needs 2 to 20 choices" in answer.text
    assert realm.published == []


def delete(admin: Visitor, name: str, number: int) -> str:
    token = fields(admin.get(f"/admin/{name}/new/").text)["csrf_token"]
    answer = admin.client.post(
        f"/admin/{name}/delete/", data={"id": number, "csrf_token": token}, follow_redirects=True
    )
    return answer.text


def test_choices_with_votes_are_not_deleted(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, green, _) = ask(app)
    admin.vote(question, red)
    assert "has 1 vote and cannot be deleted" in delete(admin, "choices", red)
    assert "has 1 vote" in delete(admin, "questions", question)
    assert counts(app, question) == {"Red": 1, "Green": 0, "Blue": 0}
    delete(admin, "choices", green)
    assert counts(app, question) == {"Red": 1, "Blue": 0}
    assert len(told(realm, question)[-1]["choices"]) == 2


def test_a_question_without_votes_can_go(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, _ = ask(app)
    delete(admin, "questions", question)
    with app.app_context():
        assert db.session.get(Question, question) is None
    assert told(realm, question)[-1]["deleted"] is True


def test_bulk_deletion_keeps_the_rules(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    voted, (red, *_) = ask(app)
    fresh, _ = ask(app, text="Fresh?")
    admin.vote(voted, red)
    token = fields(admin.get("/admin/questions/new/").text)["csrf_token"]
    answer = admin.client.post(
        "/admin/questions/action/",
        data={"action": "delete", "rowid": [voted, fresh], "csrf_token": token},
        follow_redirects=True,
    )
    assert answer.status_code == 200
    with app.app_context():
        assert db.session.get(Question, voted) is not None
    assert counts(app, voted)["Red"] == 1


def test_votes_are_to_look_at(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, *_) = ask(app)
    admin.vote(question, red)
    page = admin.get("/admin/votes/").text
    assert "Red" in page
    for path in ("/admin/votes/new/", "/admin/votes/edit/?id=1"):
        assert admin.get(path).status_code == 302, path
    assert admin.post("/admin/votes/delete/", {"id": 1}).status_code == 302
    assert admin.post("/admin/votes/ajax/update/", {"list_form_pk": 1}).status_code == 404
    assert counts(app, question)["Red"] == 1


def test_nothing_without_its_token(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, *_) = ask(app)
    published = len(realm.published)
    form = fields(admin.get(f"/admin/questions/edit/?id={question}").text)
    del form["csrf_token"]
    for path, data in (
        (f"/admin/questions/edit/?id={question}", {**form, "text": "Forged?"}),
        ("/admin/questions/delete/", {"id": question}),
        ("/admin/choices/delete/", {"id": red}),
        ("/admin/questions/action/", {"action": "delete", "rowid": question}),
        ("/admin/user/new/", {"email": "evil@example.org", "new_password": "x" * 12}),
    ):
        assert admin.client.post(path, data=data).status_code == 400, path
    assert len(realm.published) == published
    with app.app_context():
        assert service.get_question(db.session(), question).text == "Which colour?"


def test_a_user_is_made_and_can_log_in(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    form = {**fields(admin.get("/admin/user/new/").text), "email": "Anna@Example.ORG", "active": "y"}
    for password, words in (("", "needs a password"), ("short", "10")):
        answer = admin.client.post("/admin/user/new/", data={**form, "new_password": password})
        assert words in answer.text
    answer = admin.client.post("/admin/user/new/", data={**form, "new_password": "anna's own secret"})
    assert answer.status_code == 302, answer.text
    Visitor(app).log_in(("anna@example.org", "anna's own secret"))
    assert "argon2" not in admin.get("/admin/user/").text


def test_deactivating_a_user_ends_their_sessions(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    user = Visitor(app).log_in(USER)
    path = f"/admin/user/edit/?id={user_id(app, USER)}"
    form = fields(admin.get(path).text)
    del form["active"]
    assert admin.client.post(path, data=form).status_code == 302
    assert realm.revoked == [f"user:{user_id(app, USER)}"]
    assert user.get("/change").status_code == 302


def test_a_password_given_in_the_admin(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    user = Visitor(app).log_in(USER)
    path = f"/admin/user/edit/?id={user_id(app, USER)}"
    form = {**fields(admin.get(path).text), "new_password": "given by the admin"}
    assert admin.client.post(path, data=form).status_code == 302
    assert realm.revoked == [f"user:{user_id(app, USER)}"]
    assert user.get("/change").status_code == 302
    Visitor(app).log_in((USER[0], "given by the admin"))


def test_the_last_admin_stays(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    number = user_id(app, ADMIN)
    path = f"/admin/user/edit/?id={number}"
    form = fields(admin.get(path).text)
    assert form["roles"]
    without_role = {**form, "roles": []}
    inactive = {key: value for key, value in form.items() if key != "active"}
    for changed in (without_role, inactive):
        answer = admin.client.post(path, data=changed)
        assert "is the only active admin" in answer.text
    assert "is the only active admin" in delete(admin, "user", number)
    assert admin.get("/admin/").status_code == 200
    assert realm.revoked == []


def test_two_users_cannot_have_one_address(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    path = f"/admin/user/edit/?id={user_id(app, USER)}"
    answer = admin.client.post(path, data={**fields(admin.get(path).text), "email": ADMIN[0]})
    assert answer.status_code == 200
    assert "Already exists" in answer.text or "already" in answer.text
    with app.app_context():
        assert accounts.user_with(db.session(), USER[0]).email == USER[0]


def test_text_from_people_is_text(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    ask(app, ("<script>alert(1)</script>", "b"), text="<img src=x onerror=alert(2)>")
    for path in ("/admin/questions/", "/admin/choices/", "/polls/", "/"):
        page = admin.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
