"""Counts stay exact, and one vote is one vote, when many vote at once: real threads, processes and database."""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from tests.apps.conftest import make
from tests.apps.visiting import Visitor, ask, counts, told
from wampflask.apps.extensions import db
from wampflask.apps.polls import live, service, voting
from wampflask.apps.polls.models import Pick, Question, Vote
from wampflask.in_memory import MemoryRealm

pytestmark = pytest.mark.slow

THREADS = 8


def together(work: Callable[[int], None], number: int = THREADS) -> None:
    """Run ``work`` in so many threads, begun at the same moment."""
    start = threading.Barrier(number)
    errors: list[BaseException] = []

    def run(place: int) -> None:
        try:
            start.wait(10)
            work(place)
        except BaseException as error:  # shown in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def rows(app: Flask, question_id: int) -> tuple[int, int, int]:
    """The rows of votes and of picks, and the question's counter."""
    with app.app_context():
        votes = db.session.scalar(select(func.count(Vote.id)).where(Vote.question_id == question_id))
        picks = db.session.scalar(
            select(func.count()).select_from(Pick).join(Vote).where(Vote.question_id == question_id)
        )
        return votes or 0, picks or 0, db.session.get_one(Question, question_id).voters


def test_the_same_voter_in_parallel_has_one_vote_and_clear_answers(app: Flask, realm: MemoryRealm) -> None:
    question, (red, *_) = ask(app, may_change=False)
    visitor = Visitor(app)
    token = visitor.token(f"/polls/{question}/")
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in visitor.cookies())
    answers: Counter[int] = Counter()

    def vote(_place: int) -> None:
        client = app.test_client(use_cookies=False)
        answer = client.post(
            f"/polls/{question}/", data={"choice": red, "csrf_token": token}, headers={"Cookie": cookies}
        )
        answers[answer.status_code] += 1
        if answer.status_code != 302:
            assert "You have already voted" in answer.text

    together(vote)
    assert answers == {302: 1, 409: THREADS - 1}
    assert rows(app, question) == (1, 1, 1)
    assert counts(app, question)["Red"] == 1


def test_the_database_itself_refuses_a_second_vote(app: Flask) -> None:
    from sqlalchemy import insert
    from sqlalchemy.exc import IntegrityError

    question, _ = ask(app)
    with app.app_context():
        db.session.execute(insert(Vote).values(question_id=question, voter="visitor:x"))
        try:
            db.session.execute(insert(Vote).values(question_id=question, voter="visitor:x"))
        except IntegrityError:
            return
        raise AssertionError("two votes of one voter")


def test_a_storm_is_counted_exactly(app: Flask, realm: MemoryRealm) -> None:
    question, choices = ask(app)
    wanted: Counter[str] = Counter()
    lock = threading.Lock()

    def vote(place: int) -> None:
        for number in range(25):
            picked = (place + number) % 3
            voter = f"visitor:{place}-{number}"
            with app.app_context():
                live.voted(question, voting.vote(db.session(), question, voter, [choices[picked]]) or "")
                db.session.commit()
            with lock:
                wanted[("Red", "Green", "Blue")[picked]] += 1

    together(vote)
    assert counts(app, question) == dict(wanted)
    assert rows(app, question) == (THREADS * 25, THREADS * 25, THREADS * 25)
    states = told(realm, question)
    assert max(state["total_votes"] for state in states) == THREADS * 25
    for state in states:
        assert state["total_votes"] == state["version"] - 1, "counts and version belong together"


def _vote_in_process(folder: Path, question_id: int, choice_id: int, place: int, number: int) -> None:
    app = make(folder)
    with app.app_context():
        for count in range(number):
            voting.vote(db.session(), question_id, f"visitor:{place}-{count}", [choice_id])
            db.session.commit()
        db.engine.dispose()


def test_processes_share_the_database(app: Flask, instance: Path) -> None:
    question, (red, *_) = ask(app)
    with app.app_context():
        db.engine.dispose()
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_vote_in_process, args=(instance, question, red, n, 40)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert counts(app, question)["Red"] == 120
    assert rows(app, question) == (120, 120, 120)


def test_votes_against_resets_and_changes_stay_equal_to_their_rows(app: Flask, realm: MemoryRealm) -> None:
    question, choices = ask(app)

    def disturb(place: int) -> None:
        for number in range(12):
            with app.app_context():
                if place == 0 and number % 4 == 3:
                    service.reset(db.session(), question)
                else:
                    voting.vote(db.session(), question, f"visitor:{place % 3}", [choices[(place + number) % 3]])
                db.session.commit()

    together(disturb, 4)
    votes, picks, voters = rows(app, question)
    assert votes == picks == voters == sum(counts(app, question).values())
