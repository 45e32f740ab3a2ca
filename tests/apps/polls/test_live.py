"""What is published when, and that hidden counts reach nobody who may not see them."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from tests.apps.visiting import Visitor, ask
from wampflask import Caller, CallFailed
from wampflask.apps.extensions import db
from wampflask.apps.polls import service, voting
from wampflask.apps.polls.models import Choice, Conflict, Invalid, Question, State, Visibility
from wampflask.memory import Event, MemoryRealm


def on(realm: MemoryRealm, topic: str) -> list[dict[str, Any]]:
    return [event.args[0] for event in realm.published if event.topic == topic]


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
    admin.post(f"/polls/{question}/reset", {"confirm": "1"})
    last_words = on(realm, first)[-1]
    assert not shows_counts(last_words)
    assert last_words["live"] != first, "pages there are told to ask again"
    voter.vote(question, red)
    second = voter.snapshot(question)["live"]
    assert second not in (first, last_words["live"])
    with app.app_context():
        db.session.get_one(Question, question).visibility = Visibility.AFTER_CLOSE
        db.session.commit()
    assert not shows_counts(on(realm, second)[-1])
    assert len(hidden_topics(realm)) == 3


def test_deleted_is_told_on_both_topics(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    question, (red, *_) = ask(app, visibility=Visibility.AFTER_VOTE)
    voter = Visitor(app)
    voter.vote(question, red)
    topic = voter.snapshot(question)["live"]
    admin.post(f"/polls/{question}/delete", {"confirm": "1"})
    for heard in (f"polls.question.update.{question}", topic):
        assert on(realm, heard)[-1] == {
            "question_id": question,
            "version": on(realm, heard)[-1]["version"],
            "deleted": True,
        }
        assert on(realm, heard)[-1]["version"] > on(realm, heard)[-2]["version"]


def test_nothing_is_published_by_what_is_rolled_back(app: Flask, realm: MemoryRealm) -> None:
    question, (red, *_) = ask(app)
    published = len(realm.published)
    with app.app_context():
        voting.vote(db.session(), question, "visitor:a", [red])
        service.set_state(db.session(), question, State.CLOSED)
        db.session.rollback()
        db.session.get_one(Question, question)
        db.session.commit()
        assert len(realm.published) == published
        savepoint = db.session.begin_nested()
        voting.vote(db.session(), question, "visitor:b", [red])
        with pytest.raises(Conflict):
            service.delete_question(db.session(), question)
        savepoint.rollback()
        db.session.commit()
    assert not any("deleted" in event.args[0] for event in realm.published)


def test_every_kind_of_change_by_the_models_is_told(app: Flask, realm: MemoryRealm) -> None:
    question, (red, _green, blue) = ask(app)

    def told(change: Any) -> dict[str, Any]:
        before = len(realm.published)
        with app.app_context():
            change(db.session.get_one(Question, question))
            db.session.commit()
        assert len(realm.published) == before + 1
        payload = dict(realm.published[-1].args[0])
        assert payload["version"] == realm.published[before - 1].args[0]["version"] + 1
        return payload

    def relabel(_question: Question) -> None:
        db.session.get_one(Choice, red).label = "Ruby"

    def remove(_question: Question) -> None:
        db.session.delete(db.session.get_one(Choice, blue))

    assert told(lambda q: setattr(q, "text", "Anew?"))["text"] == "Anew?"
    assert told(lambda q: setattr(q, "state", State.CLOSED))["open"] is False
    assert told(relabel)["choices"][0]["label"] == "Ruby"
    assert len(told(lambda q: q.choices.append(Choice(label="Pink", position=9)))["choices"]) == 4
    assert [choice["label"] for choice in told(remove)["choices"]] == ["Ruby", "Green", "Pink"]
    assert told(lambda q: setattr(q, "may_change", False))["may_change"] is False


def test_the_rules_hold_for_the_models_themselves(app: Flask, realm: MemoryRealm) -> None:
    question, (red, green, blue) = ask(app)
    Visitor(app).vote(question, red)
    published = len(realm.published)

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
    assert len(realm.published) == published


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
    as_me = realm.invoke("polls.question.results", question, caller=Caller(7, me["authid"], me["role"]))
    assert as_me == voter.snapshot(question)
    assert as_me["voted"] == [red]
    stranger = realm.invoke("polls.question.results", question)
    assert stranger["hidden"] is True
    assert stranger["voted"] == []
    with app.app_context():
        from tests.apps.visiting import ADMIN
        from wampflask.apps.accounts import service as accounts

        admin = accounts.user_with(db.session(), ADMIN[0]).authid
    assert not realm.invoke("polls.question.results", question, caller=Caller(8, admin, "admin"))["hidden"]


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


def test_a_new_question_is_told_to_lists_once(app: Flask, realm: MemoryRealm) -> None:
    question, (red, *_) = ask(app, visibility=Visibility.AFTER_CLOSE)
    Visitor(app).vote(question, red)
    assert on(realm, "polls.question.asked") == [{"question_id": question, "version": 1}]
