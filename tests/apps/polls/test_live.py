"""What is published when, and that hidden counts reach nobody who may not see them."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from tests.apps.visiting import Visitor, ask, told
from wampflask import Caller, CallFailed
from wampflask.apps.errors import Conflict, Invalid
from wampflask.apps.extensions import db
from wampflask.apps.polls import live, service, voting
from wampflask.apps.polls.models import Choice, Question, State, Visibility
from wampflask.in_memory import MemoryRealm
from wampflask.page import Event


def on(realm: MemoryRealm, topic: str) -> list[dict[str, Any]]:
    return [event.args[0] for event in realm.published if event.topic == topic]


def answer(realm: MemoryRealm, question: int, **kwargs: Any) -> dict[str, Any]:
    """The procedure's, without its number."""
    state, number = realm.invoke("polls.question.results", question, **kwargs).args
    assert number > 0
    return dict(state)


def hidden_topics(realm: MemoryRealm) -> list[str]:
    return list(dict.fromkeys(event.topic for event in realm.published if ".live." in event.topic))


def shows_counts(payload: dict[str, Any]) -> bool:
    return any(choice["votes"] is not None or choice["percent"] is not None for choice in payload["choices"])


def test_counts_after_vote_are_told_to_voters_only(app: Flask, realm: MemoryRealm) -> None:
    question, (red, *_) = ask(app, visibility=Visibility.AFTER_VOTE)
    voter, other = Visitor(app), Visitor(app)
    voter.vote(question, red)
    public = on(realm, f"polls.question.update.{question}")
    assert public
    assert not any(shows_counts(payload) for payload in public)
    assert public[-1]["hidden"] is True
    assert public[-1]["total_votes"] == 1, "how many have answered is no result"
    assert other.snapshot(question)["live"] == f"polls.question.update.{question}"
    assert not shows_counts(other.snapshot(question))
    topic = voter.snapshot(question)["live"]
    assert topic.startswith(f"polls.question.live.{question}.")
    assert len(topic.rsplit(".", 1)[1]) == 32
    assert on(realm, topic)[-1]["choices"][0]["votes"] == 1
    assert on(realm, topic)[-1]["live"] == topic


def test_counts_after_close_are_told_to_nobody_but_admins(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, *_) = ask(app, visibility=Visibility.AFTER_CLOSE)
    voter = Visitor(app)
    voter.vote(question, red)
    assert not shows_counts(voter.snapshot(question))
    assert shows_counts(admin.snapshot(question))
    assert not any(shows_counts(payload) for payload in on(realm, f"polls.question.update.{question}"))
    admin.post(f"/polls/{question}/close")
    assert shows_counts(on(realm, f"polls.question.update.{question}")[-1])
    assert shows_counts(voter.snapshot(question))
    admin.post(f"/polls/{question}/open")
    assert not shows_counts(on(realm, f"polls.question.update.{question}")[-1])


def test_the_secret_topic_changes_with_what_it_rests_on(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, *_) = ask(app, visibility=Visibility.AFTER_VOTE)
    voter = Visitor(app)
    voter.vote(question, red)
    first = voter.snapshot(question)["live"]
    heard = len(on(realm, first))
    admin.post(f"/polls/{question}/reset", {"confirm": "1"})
    assert told(realm, question)[-1]["hidden"], "pages that saw more ask again"
    voter.vote(question, red)
    second = voter.snapshot(question)["live"]
    assert second != first
    assert on(realm, second)[-1]["voters"] == 1
    with app.app_context():
        db.session.get_one(Question, question).visibility = Visibility.AFTER_CLOSE
        db.session.commit()
    Visitor(app).vote(question, red)
    assert all(state is None for state in on(realm, first)[heard:]), "nothing more is said there"
    assert realm.invoke(second).args[0] is None
    assert realm.invoke(first).args[0] is None
    assert len(hidden_topics(realm)) == 3


def test_all_are_told_that_a_question_was_deleted(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, *_) = ask(app, visibility=Visibility.AFTER_VOTE)
    voter = Visitor(app)
    voter.vote(question, red)
    topic = voter.snapshot(question)["live"]
    admin.post(f"/polls/{question}/delete", {"confirm": "1"})
    assert told(realm, question)[-1] == {"question_id": question, "deleted": True}
    assert realm.invoke(topic).args[0] is None


def test_what_is_rolled_back_is_not_published(app: Flask, realm: MemoryRealm) -> None:
    question, (red, *_) = ask(app)
    before = told(realm, question)[-1]
    with app.app_context():
        live.voted(question, voting.vote(db.session(), question, "visitor:a", [red]) or "")
        service.set_state(db.session(), question, State.CLOSED)
        db.session.rollback()
        assert told(realm, question)[-1] == before
        savepoint = db.session.begin_nested()
        voting.vote(db.session(), question, "visitor:b", [red])
        with pytest.raises(Conflict):
            service.delete_question(db.session(), question)
        savepoint.rollback()
        db.session.commit()
    assert told(realm, question)[-1] == before


def test_every_kind_of_change_by_the_models_is_told(app: Flask, realm: MemoryRealm) -> None:
    question, (red, _green, blue) = ask(app)

    def news(change: Any) -> dict[str, Any]:
        *_, before = told(realm, question)
        with app.app_context():
            change(db.session.get_one(Question, question))
            db.session.commit()
        *_, payload = told(realm, question)
        assert payload["version"] == before["version"] + 1
        return payload

    def relabel(_question: Question) -> None:
        db.session.get_one(Choice, red).label = "Ruby"

    def remove(_question: Question) -> None:
        db.session.delete(db.session.get_one(Choice, blue))

    assert news(lambda q: setattr(q, "text", "Anew?"))["text"] == "Anew?"
    assert news(lambda q: setattr(q, "state", State.CLOSED))["open"] is False
    assert news(relabel)["choices"][0]["label"] == "Ruby"
    assert len(news(lambda q: q.choices.append(Choice(label="Pink", position=9)))["choices"]) == 4
    assert [choice["label"] for choice in news(remove)["choices"]] == ["Ruby", "Green", "Pink"]
    assert news(lambda q: setattr(q, "may_change", False))["may_change"] is False


def test_the_rules_hold_for_the_models_themselves(app: Flask, realm: MemoryRealm) -> None:
    question, (red, green, blue) = ask(app)
    Visitor(app).vote(question, red)
    before = told(realm, question)[-1]

    def refused(error: type[Exception], words: str, change: Any) -> None:
        with app.app_context():
            stored = db.session.get_one(Question, question)

            def change_and_commit() -> None:
                change(stored)
                db.session.commit()

            with pytest.raises(error, match=words):
                change_and_commit()
            db.session.rollback()

    def delete_two(_question: Question) -> None:
        for choice in (green, blue):
            db.session.delete(db.session.get_one(Choice, choice))

    refused(Conflict, "has 1 vote", lambda _q: db.session.delete(db.session.get_one(Choice, red)))
    refused(Conflict, "has 1 vote", lambda q: q.choices.remove(db.session.get_one(Choice, red)))
    refused(Conflict, "has 1 vote", db.session.delete)
    refused(Conflict, "Reset the question", lambda q: setattr(q, "kind", "multiple"))
    refused(Invalid, "2 to 20 choices", delete_two)
    refused(Invalid, "same text", lambda q: setattr(q.choices[1], "label", "red"))
    refused(Invalid, "needs some text", lambda q: setattr(q, "text", " \u200b\n "))
    refused(Invalid, "too long", lambda q: setattr(q.choices[0], "label", "x" * 121))
    assert told(realm, question)[-1] == before


def test_the_database_keeps_choices_that_were_picked(app: Flask, realm: MemoryRealm) -> None:
    from sqlalchemy import delete
    from sqlalchemy.exc import IntegrityError

    question, (red, *_) = ask(app)
    Visitor(app).vote(question, red)
    with app.app_context():
        with pytest.raises(IntegrityError):
            db.session.execute(delete(Choice).where(Choice.id == red))
        db.session.rollback()
        with pytest.raises(IntegrityError):
            db.session.execute(update(Choice).where(Choice.id == red).values(votes=-1))
        db.session.rollback()


def test_the_procedure_answers_each_caller_as_they_may_see(app: Flask, realm: MemoryRealm) -> None:
    question, (red, *_) = ask(app, visibility=Visibility.AFTER_VOTE)
    voter = Visitor(app)
    voter.vote(question, red)
    me = voter.get("/wamp/ticket").json
    assert me is not None
    as_me = answer(realm, question, caller=Caller(7, me["authid"], me["role"]))
    assert as_me == voter.snapshot(question)
    assert as_me["voted"] == [red]
    stranger = answer(realm, question)
    assert stranger["hidden"] is True
    assert stranger["voted"] == []
    with app.app_context():
        from tests.apps.visiting import ADMIN
        from wampflask.apps.accounts import service as accounts

        admin = accounts.user_with(db.session(), ADMIN[0]).authid
    assert not answer(realm, question, caller=Caller(8, admin, "admin"))["hidden"]


@pytest.mark.parametrize("wrong", ["1", None, True, 1.0, -1, 0, 2**40, [1], {"id": 1}])
def test_the_procedure_refuses_what_is_no_id(realm: MemoryRealm, wrong: object) -> None:
    with pytest.raises(CallFailed) as caught:
        realm.invoke("polls.question.results", wrong)
    assert caught.value.uri == "polls.error.invalid"


def test_the_procedure_knows_no_such_question(realm: MemoryRealm) -> None:
    with pytest.raises(CallFailed) as caught:
        realm.invoke("polls.question.results", 99)
    assert caught.value.uri == "polls.error.not_found"


def test_a_vote_counts_while_the_router_is_away(app: Flask, realm: MemoryRealm) -> None:
    question, (red, *_) = ask(app)
    realm.disconnect()
    visitor = Visitor(app)
    assert visitor.vote(question, red).status_code == 302
    assert visitor.snapshot(question)["voters"] == 1


def test_events_are_plain(realm: MemoryRealm, app: Flask) -> None:
    ask(app)
    assert isinstance(realm.published[-1], Event)
    assert realm.published[-1].kwargs == {}


def listed(realm: MemoryRealm, name: str) -> list[list[Any]]:
    return [event.args[0] for event in realm.published if event.topic.startswith(f"wampflask.fragments.{name}.")]


def test_lists_follow_new_questions_votes_and_deletions(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    first, (red, *_) = ask(app, visibility=Visibility.AFTER_CLOSE)
    second, _ = ask(app)
    for name in ("polls_list", "open_polls"):
        assert [key for key, _ in listed(realm, name)[-1][1]["order"]] == [str(second), str(first)]
        assert list(listed(realm, name)[-1][1]["rows"]) == [str(second)], "only what is new is sent"
    Visitor(app).vote(first, red)
    for name in ("polls_list", "open_polls"):
        assert f'id="responses-count-{first}">1<' in listed(realm, name)[-1][1]["rows"][str(first)]
    admin.post(f"/polls/{second}/delete", {"confirm": "1"})
    admin.post(f"/polls/{first}/close")
    assert [key for key, _ in listed(realm, "polls_list")[-1][1]["order"]] == [str(first)]
    assert listed(realm, "open_polls")[-1][1]["order"] == []


def test_only_admins_lists_offer_to_edit(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    ask(app)
    for reader, offers in ((admin, True), (Visitor(app), False)):
        assert (">Edit<" in reader.get("/polls/").text) is offers
    sent = [">Edit<" in "".join(state["rows"].values()) for _, state in listed(realm, "polls_list")]
    assert sent == [False, False, True], "visitor, user, admin"
