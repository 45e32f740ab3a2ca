"""Bound models on a real SQLite database and a realm in memory: what is told, when, and what pages may write."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, ForeignKey, LargeBinary, String, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
    validates,
)

from rig.databases import engine_in
from wampflask import WAMP, CallFailed, ConfigError
from wampflask.binding import Binding
from wampflask.caller import Caller
from wampflask.testing import MemoryRealm, in_memory

ANNA = Caller(session=1, authid="user:1", role="user")
BEN = Caller(session=2, authid="user:2", role="user")


class Base(DeclarativeBase):
    """Of these tests."""


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Thing(Base):
    __tablename__ = "thing"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(10), unique=True)
    value: Mapped[int] = mapped_column(default=0)
    colour: Mapped[Colour | None]
    secret: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012

    @validates("name")
    def _check(self, _key: str, value: str) -> str:
        if value == "forbidden":
            raise ValueError("That name is not allowed.")
        return value


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    text: Mapped[str]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Whole(Base):
    __tablename__ = "whole"

    id: Mapped[int] = mapped_column(primary_key=True)
    parts: Mapped[list[Part]] = relationship(cascade="all, delete-orphan", order_by="Part.id")


class Part(Base):
    __tablename__ = "part"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    whole_id: Mapped[int] = mapped_column(ForeignKey("whole.id"))
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Bare(Base):
    __tablename__ = "bare"

    id: Mapped[int] = mapped_column(primary_key=True)


class Odd(Base):
    __tablename__ = "odd"

    id: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


Sessions = scoped_session[Session]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = engine_in(tmp_path, "things")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> Iterator[Sessions]:
    factory = scoped_session(sessionmaker(engine))
    yield factory
    factory.remove()


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def realm(wamp: WAMP, tmp_path: Path) -> Iterator[MemoryRealm]:
    app = Flask("bound", instance_path=str(tmp_path))
    wamp.init_app(app)
    with in_memory(app) as realm, app.app_context():
        yield realm


@pytest.fixture
def things(wamp: WAMP, realm: MemoryRealm, sessions: Sessions) -> Iterator[Binding]:
    bound = wamp.bind(Thing, fields=("name", "value", "colour"), session=sessions)
    yield bound
    bound.unwatch()


def told(realm: MemoryRealm) -> list[tuple[str, Any]]:
    """What was published since the last time."""
    found = [(event.topic, event.args[0]) for event in realm.published]
    realm.published.clear()
    return found


def refused(realm: MemoryRealm, uri: str, *args: Any, caller: Caller = ANNA) -> CallFailed:
    with pytest.raises(CallFailed) as error:
        realm.invoke(uri, *args, caller=caller)
    return error.value


# -- out


def test_commits_are_told_as_create_update_delete(things: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    thing = Thing(name="a", colour=Colour.RED, secret="hidden")
    session.add(thing)
    session.flush()
    assert told(realm) == []  # not before the commit
    session.commit()
    values = {"name": "a", "value": 0, "colour": "red"}
    assert told(realm) == [("tables.thing.1.changed", {"pk": 1, "version": 1, "values": values, "kind": "created"})]
    thing.value = 5
    session.commit()
    values["value"] = 5
    assert told(realm) == [("tables.thing.1.changed", {"pk": 1, "version": 2, "values": values, "kind": "updated"})]
    session.delete(thing)
    session.commit()
    assert told(realm) == [("tables.thing.1.deleted", {"pk": 1, "version": 3, "deleted": True})]


def test_what_is_rolled_back_is_not_told(things: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    session.add(Thing(name="kept"))
    savepoint = session.begin_nested()
    session.add(Thing(name="lost"))
    session.flush()
    savepoint.rollback()
    session.commit()
    assert [state["values"]["name"] for _, state in told(realm)] == ["kept"]
    session.add(Thing(name="gone"))
    session.flush()
    session.rollback()
    session.commit()
    assert told(realm) == []


def test_a_value_set_by_an_expression_is_told(things: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    thing = Thing(name="a", value=1)
    session.add(thing)
    session.commit()
    told(realm)
    thing.value = Thing.value + 1
    session.commit()
    (topic, state), *more = told(realm)
    assert (topic, state["version"], state["values"]["value"], more) == ("tables.thing.1.changed", 2, 2, [])
    thing.value = Thing.value + 1
    session.flush()
    session.rollback()
    session.commit()
    assert told(realm) == []


def test_what_is_set_to_what_it_was_is_not_told(things: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    thing = Thing(name="a", value=1)
    session.add(thing)
    session.commit()
    told(realm)
    assert thing.value == 1
    thing.value = 1
    session.commit()
    assert told(realm) == []


def test_an_expression_in_a_savepoint_goes_with_it(things: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    session.add_all([Thing(name="a"), Thing(name="b")])
    session.commit()
    told(realm)
    first, second = session.get_one(Thing, 1), session.get_one(Thing, 2)
    first.value = Thing.value + 1
    session.flush()
    savepoint = session.begin_nested()
    first.value = Thing.value + 10
    second.value = Thing.value + 10
    session.flush()
    savepoint.rollback()
    session.commit()
    assert [(state["pk"], state["values"]["value"]) for _, state in told(realm)] == [(1, 1)]


def test_a_row_is_told_once_a_transaction(things: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    thing = Thing(name="a")
    session.add(thing)
    for _ in range(3):
        session.flush()
        thing.value = Thing.value + 1
    session.commit()
    ((_, state),) = told(realm)
    assert (state["kind"], state["version"], state["values"]["value"]) == ("created", 4, 3)
    thing.value = 7
    session.commit()
    assert [state["kind"] for _, state in told(realm)] == ["updated"]


def test_a_flush_that_failed_leaves_nothing_to_tell(things: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    session.add(Thing(name="taken"))
    session.commit()
    told(realm)
    session.get_one(Thing, 1).value = 5
    session.add(Thing(name="taken"))
    with pytest.raises(IntegrityError):
        session.commit()
    session.rollback()
    session.add(Thing(name="b"))
    session.commit()
    assert [state["values"]["name"] for _, state in told(realm)] == ["b"]


def test_two_sessions_tell_their_own(things: Binding, realm: MemoryRealm, engine: Engine) -> None:
    with Session(engine) as one:
        one.add_all([Thing(name="a"), Thing(name="b")])
        one.commit()
    told(realm)
    with Session(engine) as one, Session(engine) as two:
        one.get_one(Thing, 1).value = 1
        two.get_one(Thing, 2).value = Thing.value + 2
        one.rollback()
        two.commit()
    assert [state["values"]["value"] for _, state in told(realm)] == [2]


def test_many_rows_changed_by_an_expression_are_one_announcement(
    things: Binding, realm: MemoryRealm, sessions: Sessions
) -> None:
    session = sessions()
    session.add_all(Thing(name=f"n{number}") for number in range(2_000))
    session.commit()
    assert told(realm) == [("tables.thing.reset", {"reset": True})]
    for thing in session.scalars(select(Thing)):
        thing.value = Thing.value + 1
    session.commit()
    assert told(realm) == [("tables.thing.reset", {"reset": True})]


def test_an_orphan_that_its_parent_deletes_is_told(wamp: WAMP, realm: MemoryRealm, sessions: Sessions) -> None:
    parts = wamp.bind(Part, fields=("name",), session=sessions)
    session = sessions()
    whole = Whole(parts=[Part(name="a"), Part(name="b")])
    session.add(whole)
    session.commit()
    told(realm)
    whole.parts.pop()
    session.commit()
    assert [topic for topic, _ in told(realm)] == ["tables.part.2.deleted"]
    parts.unwatch()


def test_a_hidden_column_is_not_told_but_counts_as_a_version(
    things: Binding, realm: MemoryRealm, sessions: Sessions
) -> None:
    session = sessions()
    thing = Thing(name="a", secret="hidden")
    session.add(thing)
    session.commit()
    thing.secret = "other"
    session.commit()
    (_, first), (_, second) = told(realm)
    assert "hidden" not in str(first) + str(second)
    assert (first["version"], second["version"]) == (1, 2)


@pytest.mark.parametrize("statement", ["update", "delete", "insert"])
def test_bulk_statements_of_the_orm_have_pages_fetch_again(
    things: Binding, realm: MemoryRealm, sessions: Sessions, statement: str
) -> None:
    session = sessions()
    made: Any = {
        "update": update(Thing).values(value=1, version=Thing.version + 1),
        "delete": delete(Thing),
        "insert": insert(Thing).values(name="b", value=1, secret="", version=1),
    }[statement]
    session.execute(made)
    session.rollback()
    assert told(realm) == []
    session.execute(made)
    session.commit()
    assert told(realm) == [("tables.thing.reset", {"reset": True})]


def test_what_goes_around_the_orm_is_announced(things: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    session.execute(text("INSERT INTO thing (name, value, secret, version) VALUES ('x', 1, '', 1)"))
    things.announce(session)
    assert told(realm) == []
    session.commit()
    assert told(realm) == [("tables.thing.reset", {"reset": True})]


def test_many_rows_at_once_are_one_announcement(things: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    session.add_all(Thing(name=f"n{number}") for number in range(501))
    session.commit()
    assert {topic for topic, _ in told(realm)} == {"tables.thing.reset"}
    found, after = [], None
    while True:
        page = realm.invoke("tables.thing.snapshot", after, caller=ANNA)
        found += [row["pk"] for row in page["rows"]]
        after = page["after"]
        if not page["more"]:
            break
    assert found == list(range(1, 502))


def test_without_an_app_nothing_is_told_and_nothing_fails(engine: Engine, wamp: WAMP) -> None:
    bound = wamp.bind(Thing, fields=("name",), table="others")
    with Session(engine) as session:
        session.add(Thing(name="quiet"))
        session.commit()
        session.execute(update(Thing).values(value=2))
        session.commit()
    bound.unwatch()


# -- in


def test_pages_create_update_and_delete(things: Binding, realm: MemoryRealm) -> None:
    row = realm.invoke("tables.thing.create", {"name": "a", "value": 3, "colour": "blue"}, caller=ANNA)
    assert row == {"pk": 1, "version": 1, "values": {"name": "a", "value": 3, "colour": "blue"}}
    row = realm.invoke("tables.thing.update", 1, {"value": 4}, 1, caller=ANNA)
    assert (row["version"], row["values"]["value"]) == (2, 4)
    assert realm.invoke("tables.thing.row", 1, caller=BEN) == row
    assert realm.invoke("tables.thing.snapshot", caller=BEN)["rows"] == [row]
    assert realm.invoke("tables.thing.delete", 1, 2, caller=BEN) == {"pk": 1, "version": 3, "deleted": True}
    assert [topic for topic, _ in told(realm)] == ["tables.thing.1.changed"] * 2 + ["tables.thing.1.deleted"]
    assert refused(realm, "tables.thing.update", 1, {"value": 1}, 2).uri == "tables.error.not_found"


def test_a_conflict_is_refused_with_the_current_row(things: Binding, realm: MemoryRealm) -> None:
    realm.invoke("tables.thing.create", {"name": "a"}, caller=ANNA)
    current = realm.invoke("tables.thing.update", 1, {"value": 1}, 1, caller=ANNA)
    for procedure, *args in (("update", {"value": 2}, 1), ("delete", 1)):
        error = refused(realm, f"tables.thing.{procedure}", 1, *args, caller=BEN)
        assert error.uri == "tables.error.conflict"
        assert error.kwargs == {"row": current}
    assert realm.invoke("tables.thing.row", 1, caller=BEN) == current


@pytest.mark.parametrize(
    "values",
    [
        {"value": "7"},
        {"value": 2**31},
        {"value": True},
        {"value": None},
        {"value": 1.5},
        {"name": "x" * 11},
        {"name": "nul\0"},
        {"name": "forbidden"},
        {"name": "taken"},
        {"colour": "green"},
        {"secret": "x"},
        {"id": 9},
        {"version": 9},
        {},
        [],
        None,
    ],
)
def test_bad_values_are_refused_and_change_nothing(things: Binding, realm: MemoryRealm, values: Any) -> None:
    realm.invoke("tables.thing.create", {"name": "taken"}, caller=ANNA)
    before = realm.invoke("tables.thing.create", {"name": "a"}, caller=ANNA)
    told(realm)
    assert refused(realm, "tables.thing.update", 2, values, 1).uri == "tables.error.invalid"
    assert refused(realm, "tables.thing.create", values).uri == "tables.error.invalid"
    assert realm.invoke("tables.thing.row", 2, caller=ANNA) == before
    assert told(realm) == []


@pytest.mark.parametrize("pk", ["1", True, None, -(2**40), [1]])
def test_what_is_no_key_finds_nothing(things: Binding, realm: MemoryRealm, pk: Any) -> None:
    assert refused(realm, "tables.thing.row", pk).uri == "tables.error.not_found"


def test_a_version_must_be_said(things: Binding, realm: MemoryRealm) -> None:
    realm.invoke("tables.thing.create", {"name": "a"}, caller=ANNA)
    for version in (None, "1", True):
        assert refused(realm, "tables.thing.update", 1, {"value": 1}, version).uri == "tables.error.invalid"


def test_each_row_is_for_those_who_may(wamp: WAMP, realm: MemoryRealm, sessions: Sessions) -> None:
    def is_own(caller: Caller, note: Note) -> bool:
        return note.owner == caller.authid

    def may_write(caller: Caller, action: str, note: Note) -> bool:
        return note.owner == caller.authid and action != "delete"

    notes = wamp.bind(Note, fields=("owner", "text"), can_read=is_own, can_write=may_write, session=sessions)
    row = realm.invoke("tables.note.create", {"owner": "user:1", "text": "private"}, caller=ANNA)
    assert told(realm) == [("tables.note.1.changed", {"pk": 1, "version": 1, "kind": "created"})]  # not a word of it
    assert realm.invoke("tables.note.snapshot", caller=ANNA)["rows"] == [row]
    assert realm.invoke("tables.note.snapshot", caller=BEN)["rows"] == []
    for procedure, *args in (("row",), ("update", {"text": "x"}, 1), ("delete", 1)):
        assert refused(realm, f"tables.note.{procedure}", 1, *args, caller=BEN).uri == "tables.error.not_found"
    assert refused(realm, "tables.note.delete", 1, 1).uri == "tables.error.not_allowed"
    assert refused(realm, "tables.note.update", 1, {"owner": "user:2"}, 1).uri == "tables.error.not_allowed"
    assert refused(realm, "tables.note.create", {"owner": "user:2", "text": "x"}).uri == "tables.error.not_allowed"
    assert realm.invoke("tables.note.row", 1, caller=ANNA) == row
    assert told(realm) == []
    notes.unwatch()


# -- what cannot be bound


def test_what_cannot_be_bound_is_said_at_the_start(wamp: WAMP) -> None:
    with pytest.raises(ConfigError, match="needs a version"):
        wamp.bind(Bare, fields=())
    with pytest.raises(ConfigError, match=r"Odd\.data has no JSON form"):
        wamp.bind(Odd, fields=("data",))
    with pytest.raises(ConfigError, match="must be an integer or UUID"):
        wamp.bind(Odd, fields=())
    with pytest.raises(ConfigError, match="not a column"):
        wamp.bind(Thing, fields=("nothing",))


def test_the_router_is_told_of_the_roles(wamp: WAMP, things: Binding) -> None:
    granted = {permission.uri: permission for permission in wamp.permissions}
    assert granted["tables.thing.<pk>.changed"].subscribe == ("visitor", "user", "admin")
    assert granted["tables.thing.update"].call == ("visitor", "user", "admin")
    assert not granted["tables.thing.<pk>.changed"].publish
