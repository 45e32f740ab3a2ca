"""The pages of polls, as a browser without JavaScript uses them; and all that may be sent to them wrongly."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import segno
from flask import Flask

from tests.apps.visiting import USER, Visitor, ask, counts, told
from wampflask import CallFailed
from wampflask.apps import network
from wampflask.apps.extensions import db
from wampflask.apps.polls import contract, service
from wampflask.apps.polls.export import harmless
from wampflask.apps.polls.models import Kind, Question, State, Visibility, Vote
from wampflask.caller import Caller
from wampflask.in_memory import MemoryRealm


def close(app: Flask, question_id: int) -> None:
    with app.app_context():
        service.set_state(db.session(), question_id, State.CLOSED)
        db.session.commit()


def test_a_vote_is_counted_shown_and_published(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, (red, green, _blue) = ask(app)
    answer = visitor.vote(question, green)
    assert answer.status_code == 302
    assert answer.location == f"/polls/{question}/results"
    page = visitor.get(answer.location).text
    assert "Green" in page
    assert f'id="responses-count-{question}"' in page
    assert counts(app, question) == {"Red": 0, "Green": 1, "Blue": 0}
    payload = told(realm, question)[-1]
    assert payload["question_id"] == question
    assert payload["open"] is True
    assert payload["total_votes"] == payload["voters"] == 1
    assert payload["choices"][0] == {"id": red, "label": "Red", "votes": 0, "percent": 0}
    assert payload["choices"][1] == {"id": green, "label": "Green", "votes": 1, "percent": 100}


def test_a_vote_can_be_changed(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, (red, green, _blue) = ask(app)
    visitor.vote(question, green)
    version = visitor.snapshot(question)["version"]
    assert visitor.vote(question, red).status_code == 302
    assert counts(app, question) == {"Red": 1, "Green": 0, "Blue": 0}
    found = visitor.snapshot(question)
    assert found["voted"] == [red]
    assert found["voters"] == 1
    assert found["version"] == told(realm, question)[-1]["version"] == version + 1


def test_the_same_vote_again_changes_and_publishes_nothing(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, (red, *_) = ask(app)
    visitor.vote(question, red)
    published = len(realm.published)
    assert visitor.vote(question, red).status_code == 302
    assert len(realm.published) == published


def test_several_answers(app: Flask, visitor: Visitor, realm: MemoryRealm) -> None:
    question, (red, green, blue) = ask(app, kind=Kind.MULTIPLE)
    assert visitor.vote(question, red, blue).status_code == 302
    assert Visitor(app).vote(question, red).status_code == 302
    found = visitor.snapshot(question)
    assert found["voters"] == 2
    assert found["total_votes"] == 3
    assert {choice["id"]: choice["percent"] for choice in found["choices"]} == {red: 100, green: 0, blue: 50}
    assert visitor.vote(question, green, blue).status_code == 302
    assert counts(app, question) == {"Red": 1, "Green": 1, "Blue": 1}


def test_users_vote_as_themselves_on_every_device(app: Flask, realm: MemoryRealm) -> None:
    question, (red, green, _) = ask(app)
    assert Visitor(app).log_in(USER).vote(question, red).status_code == 302
    elsewhere = Visitor(app).log_in(USER)
    assert elsewhere.snapshot(question)["voted"] == [red]
    elsewhere.vote(question, green)
    assert counts(app, question) == {"Red": 0, "Green": 1, "Blue": 0}


@pytest.mark.parametrize(
    ("kind", "choice", "status", "words"),
    [
        (Kind.SINGLE, (), 422, "Choose an answer"),
        (Kind.SINGLE, ("first", "second"), 422, "one answer only"),
        (Kind.SINGLE, ("foreign",), 422, "does not belong"),
        (Kind.MULTIPLE, ("first", "foreign"), 422, "does not belong"),
        (Kind.SINGLE, ("999999",), 422, "does not belong"),
        (Kind.SINGLE, ("9" * 40,), 422, "does not belong"),
        (Kind.SINGLE, ("-1",), 422, "does not belong"),
        (Kind.SINGLE, ("1; DROP TABLE vote",), 422, "does not belong"),
        (Kind.SINGLE, ("٣",), 422, "does not belong"),
    ],
)
def test_a_wrong_vote_is_refused_in_words(
    app: Flask, realm: MemoryRealm, visitor: Visitor, kind: Kind, choice: tuple[str, ...], status: int, words: str
) -> None:
    question, (red, green, blue) = ask(app, kind=kind)
    _, (foreign, *_) = ask(app, text="Another one?")
    ids = {"first": red, "second": green, "foreign": foreign}
    published = len(realm.published)
    answer = visitor.vote(question, *(ids.get(name, name) for name in choice))
    assert answer.status_code == status
    assert words in answer.text
    assert counts(app, question) == {"Red": 0, "Green": 0, "Blue": 0}
    assert blue
    assert len(realm.published) == published


def test_a_closed_question_takes_no_votes(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, (red, *_) = ask(app)
    token = visitor.token(f"/polls/{question}/")
    close(app, question)
    published = len(realm.published)
    answer = visitor.client.post(f"/polls/{question}/", data={"choice": red, "csrf_token": token})
    assert answer.status_code == 409
    assert "closed" in answer.text
    assert sum(counts(app, question).values()) == 0
    assert len(realm.published) == published


def test_a_vote_that_may_not_be_changed(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, (red, green, _) = ask(app, may_change=False)
    visitor.vote(question, red)
    published = len(realm.published)
    answer = visitor.vote(question, green)
    assert answer.status_code == 409
    assert "can't be changed" in answer.text
    assert counts(app, question) == {"Red": 1, "Green": 0, "Blue": 0}
    assert len(realm.published) == published


def test_an_unknown_question(app: Flask, visitor: Visitor) -> None:
    for path in ("/polls/99/", "/polls/99/results", "/polls/99/present", "/polls/99/qr.svg", "/p/zzzzzzz"):
        assert visitor.get(path).status_code == 404, path
    assert visitor.post("/polls/99/", {"choice": 1}).status_code == 404
    answer = visitor.get("/polls/99/snapshot.json")
    assert answer.status_code == 404
    assert answer.json is not None
    assert "no question 99" in answer.json["message"]


def test_a_form_without_its_token(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, (red, *_) = ask(app)
    published = len(realm.published)
    for token in ({}, {"csrf_token": "made-up"}):
        answer = visitor.client.post(f"/polls/{question}/", data={"choice": red, **token})
        assert answer.status_code == 400
        assert "Reload the page" in answer.text
    assert sum(counts(app, question).values()) == 0
    assert len(realm.published) == published


def test_a_megabyte_of_label(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, _ = ask(app)
    published = len(realm.published)
    for path in ("/polls/new", f"/polls/{question}/edit", f"/polls/{question}/"):
        answer = admin.post(path, {"text": "Long?", "choices-0-label": "x" * 1_000_000, "choices-1-label": "y"})
        assert answer.status_code == 413, path
        assert "Too large" in answer.text
    for size in (121, 100_000):
        answer = admin.post("/polls/new", question_form("Long?", "x" * size, "y"))
        assert answer.status_code == 422
        assert "120" in answer.text
    with app.app_context():
        assert service.count_questions(db.session()) == 1
    assert len(realm.published) == published


def question_form(text: str, *labels: str, **more: Any) -> dict[str, Any]:
    rows = {f"choices-{place}-label": label for place, label in enumerate(labels)}
    return {"text": text, "kind": "single", "visibility": "always", "may_change": "y", **rows, **more}


def edit_form(app: Flask, question_id: int, **changes: Any) -> dict[str, Any]:
    """The edit form as the page has it."""
    with app.app_context():
        question = db.session.get_one(Question, question_id)
        form = question_form(question.text, kind=question.kind.value, visibility=question.visibility.value)
        for place, choice in enumerate(question.choices):
            form |= {f"choices-{place}-label": choice.label, f"choices-{place}-choice_id": str(choice.id)}
    return {**form, **changes}


def test_an_admin_makes_a_question(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    assert admin.get("/polls/new").status_code == 200
    form = question_form("  Tea <or> coffee?  ", "Tea", "", "Coffee ", kind="multiple", visibility="after_vote")
    answer = admin.post("/polls/new", form)
    assert answer.status_code == 302
    page = admin.get(answer.location).text
    assert "Tea &lt;or&gt; coffee?" in page
    with app.app_context():
        question = db.session.query(Question).one()
        assert question.text == "Tea <or> coffee?"
        assert [choice.label for choice in question.choices] == ["Tea", "Coffee"]
        assert (question.kind, question.visibility) == (Kind.MULTIPLE, Visibility.AFTER_VOTE)
        assert told(realm, question.id)[-1]["version"] == question.version == 1


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (question_form("", "a", "b"), "required"),
        (question_form("Alone?", "a"), "at least two"),
        (question_form("Twins?", "Same", "same "), "same text"),
        (question_form("x" * 301, "a", "b"), "300"),
        (question_form("Kind?", "a", "b", kind="triple"), "Not a valid choice"),
    ],
)
def test_a_question_that_cannot_be(
    app: Flask, realm: MemoryRealm, admin: Visitor, form: dict[str, Any], words: str
) -> None:
    answer = admin.post("/polls/new", form)
    assert answer.status_code == 422
    assert words in answer.text
    with app.app_context():
        assert service.count_questions(db.session()) == 0
    assert not realm.published


def test_wording_is_edited_and_every_page_told(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, _green, _blue) = ask(app)
    admin.vote(question, red)
    form = edit_form(app, question, text="Which color?", **{"choices-0-label": "Crimson", "choices-3-label": "Pink"})
    assert admin.post(f"/polls/{question}/edit", form).status_code == 302
    payload = told(realm, question)[-1]
    assert payload["text"] == "Which color?"
    assert [choice["label"] for choice in payload["choices"]] == ["Crimson", "Green", "Blue", "Pink"]
    assert counts(app, question) == {"Crimson": 1, "Green": 0, "Blue": 0, "Pink": 0}


def test_choices_can_be_ordered_and_removed_but_not_with_votes(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, green, blue) = ask(app)
    admin.vote(question, green)
    swapped = {
        "choices-0-label": "Blue",
        "choices-0-choice_id": blue,
        "choices-2-label": "",
        "choices-2-choice_id": red,
    }
    assert admin.post(f"/polls/{question}/edit", edit_form(app, question, **swapped)).status_code == 302
    assert list(counts(app, question)) == ["Blue", "Green"]
    published = told(realm, question)[-1]
    without = edit_form(app, question, **{"choices-1-label": "", "choices-2-label": "Other"})
    answer = admin.post(f"/polls/{question}/edit", without)
    assert answer.status_code == 409
    assert "has 1 vote and cannot be deleted" in answer.text
    assert counts(app, question) == {"Blue": 0, "Green": 1}
    assert told(realm, question)[-1] == published


def test_the_kind_stays_while_there_are_votes(app: Flask, admin: Visitor) -> None:
    question, (red, *_) = ask(app)
    admin.vote(question, red)
    answer = admin.post(f"/polls/{question}/edit", edit_form(app, question, kind="multiple"))
    assert answer.status_code == 409
    assert "cannot change while there are votes" in answer.text


def test_open_and_close(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, _ = ask(app)
    assert admin.post(f"/polls/{question}/close").status_code == 302
    assert told(realm, question)[-1]["open"] is False
    published = len(realm.published)
    assert admin.post(f"/polls/{question}/close").status_code == 302
    assert len(realm.published) == published
    answer = admin.post(f"/polls/{question}/open", {"back": "present"})
    assert answer.location == f"/polls/{question}/present"
    assert told(realm, question)[-1]["open"] is True


def test_reset_asks_first_and_then_all_may_vote_again(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, *_) = ask(app, may_change=False)
    admin.vote(question, red)
    answer = admin.post(f"/polls/{question}/reset")
    assert answer.status_code == 409
    assert "1 person has voted" in answer.text
    assert counts(app, question)["Red"] == 1
    assert admin.post(f"/polls/{question}/reset", {"confirm": "1"}).status_code == 302
    assert sum(counts(app, question).values()) == 0
    payload = told(realm, question)[-1]
    assert (payload["voters"], payload["total_votes"], payload["round"]) == (0, 0, 2)
    assert admin.vote(question, red).status_code == 302


def test_delete_asks_first_when_there_are_votes(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, *_) = ask(app)
    admin.vote(question, red)
    assert admin.post(f"/polls/{question}/delete").status_code == 409
    assert admin.get(f"/polls/{question}/").status_code == 200
    assert admin.post(f"/polls/{question}/delete", {"confirm": "1"}).status_code == 302
    assert admin.get(f"/polls/{question}/").status_code == 404
    assert told(realm, question)[-1] == {"question_id": question, "deleted": True}


def test_only_admins_change_polls(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, _ = ask(app)
    user = Visitor(app).log_in(USER)
    published = len(realm.published)
    paths = ("/polls/new", *(f"/polls/{question}/{name}" for name in ("edit", "open", "close", "reset", "delete")))
    for path in paths:
        answer = visitor.post(path, {"confirm": "1"})
        assert answer.status_code == 302, path
        assert answer.location.startswith("/login"), path
        assert user.post(path, {"confirm": "1"}, form=f"/polls/{question}/").status_code == 403, path
    assert visitor.get(f"/polls/{question}/export.csv").location.startswith("/login")
    assert len(realm.published) == published
    assert visitor.get(f"/polls/{question}/").status_code == 200


def test_hidden_counts_are_on_no_page(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, (red, *_) = ask(app, visibility=Visibility.AFTER_VOTE)
    for _ in range(3):
        Visitor(app).vote(question, red)
    for path in (f"/polls/{question}/", f"/polls/{question}/results", f"/polls/{question}/present", "/polls/", "/"):
        page = visitor.get(path).text
        assert ">100%" not in page, path
        assert "polls.question.live" not in page, path
    assert visitor.snapshot(question)["hidden"] is True
    visitor.vote(question, red)
    assert ">100%" in visitor.get(f"/polls/{question}/results").text
    assert ">100%" not in visitor.get(f"/polls/{question}/present").text, "the presenter's page stands on a wall"


def test_csv_runs_nothing_in_a_spreadsheet(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, ids = ask(app, ('=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", 'Plain, "quoted"'), text=" =cmd ")
    admin.vote(question, ids[4])
    answer = admin.get(f"/polls/{question}/export.csv")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0] == ["question", "choice", "votes", "percent", "voters"]
    assert rows[1] == ["'=cmd", '\'=HYPERLINK("http://x")', "0", "0", "1"]
    assert [row[1] for row in rows[2:]] == ["'+1", "'-1", "'@SUM(A1)", 'Plain, "quoted"']
    assert rows[5][2:] == ["1", "100", "1"]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("＝1+1", "'＝1+1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠SUM(A1)", "'＠SUM(A1)"),
        ("﹦1", "'﹦1"),
        ("\u200b=1", "'\u200b=1"),
        (" \t=1", "' \t=1"),
        ("\tplain", "'\tplain"),
        ("\rplain", "'\rplain"),
        ("1 = 1", "1 = 1"),
        ("Ｆullwidth", "Ｆullwidth"),
        ("", ""),
    ],
)
def test_text_that_begins_like_a_formula_is_made_harmless(text: str, safe: str) -> None:
    assert harmless(text) == safe


def test_a_wall_asks_without_its_owners_vote(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, (red, *_) = ask(app, visibility=Visibility.AFTER_VOTE)
    visitor.vote(question, red)
    with app.app_context():
        voter = db.session.scalars(db.select(Vote.voter)).one()
    person = Caller(session=3, authid=voter, role="visitor")
    own = realm.invoke(contract.RESULTS, question, caller=person).args[0]
    assert (own["voted"], own["hidden"]) == ([red], False)
    wall = realm.invoke(contract.RESULTS, question_id=question, as_voter=False, caller=person).args[0]
    assert (wall["voted"], wall["hidden"], wall["choices"][0]["votes"]) == ([], True, None)
    for wrong in ("no", 0, None):
        with pytest.raises(CallFailed) as refusal:
            realm.invoke(contract.RESULTS, question, as_voter=wrong, caller=person)
        assert refusal.value.uri == "polls.error.invalid"


def test_joining_by_code(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, _ = ask(app)
    code = visitor.snapshot(question)["code"]
    for path in (f"/p/{code}", f"/p/{code.upper()}", f"/p/?code={code}", f"/p/?code=%20{code}%20"):
        assert visitor.get(path).location == f"/polls/{question}/", path
    assert visitor.get("/p/").location == "/polls/"


def test_the_qr_code_has_an_address_that_phones_reach(
    app: Flask, realm: MemoryRealm, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    question, _ = ask(app)
    monkeypatch.setattr(network, "lan_address", lambda: "192.0.2.7")
    encoded: list[str] = []
    real = segno.make

    def make(text: str, **options: Any) -> segno.QRCode:
        encoded.append(text)
        return real(text, **options)

    monkeypatch.setattr(segno, "make", make)
    for base in ("http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "https://polls.example"):
        answer = visitor.get(f"/polls/{question}/qr.svg", base_url=base)
        assert answer.mimetype == "image/svg+xml"
        assert answer.text.startswith("<svg")
    code = visitor.snapshot(question)["code"]
    assert encoded == [*[f"http://192.0.2.7:8080/p/{code}"] * 3, f"https://polls.example/p/{code}"]


def test_a_list_of_many_has_pages(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    for number in range(55):
        ask(app, text=f"Question number {number}?")
    first, second = visitor.get("/polls/").text, visitor.get("/polls/?page=2").text
    assert "Question number 54?" in first
    assert "Question number 4?" not in first
    assert "Question number 4?" in second
    for page in ("0", "-3", "999", "x"):
        assert visitor.get(f"/polls/?page={page}").status_code == 200


def test_json_for_programs(app: Flask, realm: MemoryRealm, visitor: Visitor) -> None:
    question, (red, *_) = ask(app)
    answer = visitor.vote(question, red, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["voted"] == [red]
    refused = visitor.vote(question, 12345, headers={"Accept": "application/json"})
    assert refused.status_code == 422
    assert refused.json is not None
    assert "does not belong" in refused.json["message"]
