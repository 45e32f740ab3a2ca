"""``after_commit`` with real SQLite: what is published is what was committed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from tests.core.processes.programs import Listener, client_of, configuration, connected, make_app
from wampflask import WAMP, InvalidPayload
from wampflask.testing import RouterNode


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def app(node: RouterNode, wamp: WAMP, tmp_path: Path) -> Iterator[Flask]:
    app = make_app(configuration(node), tmp_path, wamp)
    with connected(app, wamp):
        yield app


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """SQLite with transactions that begin where SQLAlchemy says so, which savepoints need."""
    engine = create_engine(f"sqlite:///{tmp_path}/votes.db", isolation_level=None)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE votes (choice TEXT NOT NULL)"))
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@pytest.fixture
def heard(app: Flask, node: RouterNode, prefix: str) -> Iterator[Listener]:
    with Listener(node, f"{prefix}.vote") as listener:
        yield listener


def vote(session: Session, choice: str) -> None:
    session.execute(text("INSERT INTO votes VALUES (:choice)"), {"choice": choice})


def votes(engine: Engine) -> list[str]:
    with engine.begin() as connection:
        return list(connection.execute(text("SELECT choice FROM votes")).scalars())


@pytest.mark.parametrize("verb", ["publish", "publish_later", "publish_latest"])
def test_a_commit_sends_after_it_is_in_the_database(
    verb: str, wamp: WAMP, session: Session, engine: Engine, heard: Listener, prefix: str
) -> None:
    vote(session, "yes")
    getattr(wamp.after_commit(session), verb)(f"{prefix}.vote", "yes")
    assert heard.all(0.1) == [], "nothing leaves before the commit"
    session.commit()
    assert heard.next() == ["yes"]
    assert votes(engine) == ["yes"]
    session.commit()
    vote(session, "no")
    session.commit()
    assert heard.all(0.1) == [], "it is sent once, not with every later commit"


def test_a_rollback_drops(wamp: WAMP, session: Session, engine: Engine, heard: Listener, prefix: str) -> None:
    vote(session, "yes")
    wamp.after_commit(session).publish(f"{prefix}.vote", "yes")
    session.rollback()
    vote(session, "no")
    wamp.after_commit(session).publish(f"{prefix}.vote", "no")
    session.commit()
    assert heard.all(0.2) == [["no"]]
    assert votes(engine) == ["no"]


def test_a_savepoints_rollback_drops_what_was_queued_in_it(
    wamp: WAMP, session: Session, engine: Engine, heard: Listener, prefix: str
) -> None:
    def vote_and_tell(choice: str) -> None:
        vote(session, choice)
        wamp.after_commit(session).publish_later(f"{prefix}.vote", choice)

    vote_and_tell("before")
    with session.begin_nested():
        vote_and_tell("kept")
    outer = session.begin_nested()
    vote_and_tell("dropped")
    with session.begin_nested():
        vote_and_tell("dropped with the outer")
    outer.rollback()
    vote_and_tell("after")
    session.commit()
    assert [choice for [choice] in heard.all(0.2)] == ["before", "kept", "after"] == votes(engine)


def test_a_scoped_session_is_the_session_of_its_thread(
    wamp: WAMP, engine: Engine, heard: Listener, prefix: str
) -> None:
    scoped = scoped_session(sessionmaker(engine))
    try:
        scoped.execute(text("INSERT INTO votes VALUES ('yes')"))
        wamp.after_commit(scoped).publish_latest(f"{prefix}.vote", "yes")
        scoped.commit()
        assert heard.next() == ["yes"]
    finally:
        scoped.remove()


def test_a_bad_payload_is_refused_before_the_commit(wamp: WAMP, session: Session, engine: Engine, app: Flask) -> None:
    vote(session, "yes")
    with pytest.raises(InvalidPayload):
        wamp.after_commit(session).publish("tests.vote", {1, 2})
    session.rollback()
    assert votes(engine) == []


def test_a_commit_stands_when_the_router_is_away(
    wamp: WAMP, session: Session, engine: Engine, app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    client_of(app).stop()
    vote(session, "yes")
    wamp.after_commit(session).publish("tests.vote", "yes")
    session.commit()
    assert votes(engine) == ["yes"]
    assert "Not published after the commit" in caplog.text
