"""Bound tables with groups: a page hears, asks and writes the rows of its own group, and nothing of another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, ForeignKey, insert, update
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)

from rig.databases import engine_in
from wampflask import WAMP, CallFailed, ConfigError, InvalidURI, NotAuthorized
from wampflask.binding import Binding
from wampflask.caller import Caller
from wampflask.router.wire import CALL, ERROR, EVENT, SUBSCRIBE, SUBSCRIBED, Refused, Wire
from wampflask.testing import MemoryRealm, Page, RouterNode, in_memory


class Base(DeclarativeBase):
    """Of these tests."""


class Team(Base):
    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    todos: Mapped[list[Todo]] = relationship(back_populates="team")


class Todo(Base):
    __tablename__ = "todo"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="todos")
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Line(Base):
    __tablename__ = "line"

    id: Mapped[int] = mapped_column(primary_key=True)
    room: Mapped[str]
    text: Mapped[str]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


Sessions = scoped_session[Session]
TEAMS = (1, 2)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = engine_in(tmp_path, "todo")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Team), [{"id": team} for team in TEAMS])
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


def may_write(_caller: Caller, _action: str, todo: Todo) -> bool:
    return todo.text != "locked"


@pytest.fixture
def todos(wamp: WAMP, realm: MemoryRealm, sessions: Sessions) -> Iterator[Binding]:
    bound = wamp.bind(
        Todo, fields=("text", "team_id"), group="team_id", claim="team", can_write=may_write, session=sessions
    )
    yield bound
    bound.unwatch()


def listening(page: Page, team: int) -> Page:
    for name in ("changed", "deleted"):
        page.subscribe(f"tables.todo.{team}..{name}")
    page.subscribe("tables.todo.reset")
    return page


def heard(page: Page) -> list[tuple[str, int | None]]:
    found = [(each.topic.removeprefix("tables.todo."), each.args[0].get("version")) for each in page.heard]
    page.heard.clear()
    return found


def test_each_group_hears_its_own_rows(todos: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    one, two = listening(realm.page(user=1, team=1), 1), listening(realm.page(user=2, team=2), 2)
    session = sessions()
    session.add_all([Todo(text="milk", team_id=1), Todo(text="rope", team_id=2), Todo(text="nobody's")])
    session.commit()
    assert (heard(one), heard(two)) == ([("1.1.changed", 1)], [("2.2.changed", 1)])
    session.delete(session.get_one(Todo, 2))
    session.commit()
    assert (heard(one), heard(two)) == ([], [("2.2.deleted", 2)])


def test_a_row_that_moves_leaves_one_group_and_appears_in_the_other(
    todos: Binding, realm: MemoryRealm, sessions: Sessions
) -> None:
    one, two = listening(realm.page(user=1, team=1), 1), listening(realm.page(user=2, team=2), 2)
    session = sessions()
    todo = Todo(text="milk", team_id=1)
    session.add(todo)
    session.commit()
    heard(one)
    todo.team_id = 2  # the old value is not loaded any more: it is read
    session.commit()
    assert (heard(one), heard(two)) == ([("1.1.deleted", 2)], [("2.1.changed", 2)])
    todo.team_id = None
    session.commit()
    assert (heard(one), heard(two)) == ([], [("2.1.deleted", 3)])
    todo.team_id = 1
    session.commit()
    assert (heard(one), heard(two)) == ([("1.1.changed", 4)], [])
    todo.team_id = 2
    session.flush()
    session.delete(todo)
    session.commit()
    assert heard(one) == [("1.1.deleted", 5)]


def test_a_row_that_moves_with_what_it_belongs_to_is_told(
    todos: Binding, realm: MemoryRealm, sessions: Sessions
) -> None:
    one, two = listening(realm.page(user=1, team=1), 1), listening(realm.page(user=2, team=2), 2)
    session = sessions()
    first, second = (session.get_one(Team, team) for team in TEAMS)
    session.add(Todo(text="milk", team=first))
    session.commit()
    heard(one)
    second.todos.append(session.get_one(Todo, 1))
    session.commit()
    assert (heard(one), heard(two)) == ([("1.1.deleted", 2)], [("2.1.changed", 2)])
    session.delete(second)  # its rows are in no team then
    session.commit()
    assert (heard(one), heard(two)) == ([], [("2.1.deleted", 3)])


def test_what_a_row_was_for_a_moment_is_told_to_nobody(todos: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    two = listening(realm.page(user=2, team=2), 2)
    session = sessions()
    todo = Todo(text="secret of team 1", team_id=2)
    session.add(todo)
    session.flush()
    todo.team_id = 1
    session.commit()
    assert "secret" not in str(two.heard)
    todo.team_id = 2
    session.flush()
    session.rollback()
    session.commit()
    assert [topic for topic, _ in heard(two)] == ["2.1.deleted"]  # of the first transaction; nothing of the second


@pytest.mark.parametrize("how", ["to no group", "by a statement", "among many", "to be deleted"])
def test_what_a_row_got_before_it_left_is_not_told_where_it_was(
    todos: Binding, realm: MemoryRealm, sessions: Sessions, how: str
) -> None:
    one = listening(realm.page(user=1, team=1), 1)
    session = sessions()
    todo = Todo(text="milk", team_id=1)
    session.add(todo)
    session.commit()
    heard(one)
    todo.text = "secret"
    session.flush()
    if how == "to no group":
        todo.team_id = None
    elif how == "by a statement":
        session.execute(update(Todo).values(team_id=2, version=Todo.version + 1))
    elif how == "among many":
        todo.team_id = 2
        session.add_all(Todo(text="x", team_id=2) for _ in range(501))
    else:
        session.delete(todo)
    session.commit()
    assert "secret" not in str(one.heard)
    assert len(one.heard) == 1  # a deletion, or that there is news


def test_a_page_asks_and_writes_in_its_own_group(todos: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    one, two = realm.page(user=1, team=1), realm.page(user=2, team=2)
    row = one.call("tables.todo.1.create", {"text": "milk"})
    assert row == {"pk": 1, "version": 1, "values": {"text": "milk", "team_id": 1}, "may": ["update", "delete"]}
    assert one.call("tables.todo.1.snapshot")["rows"] == [row]
    assert two.call("tables.todo.2.snapshot")["rows"] == []
    for name, *args in (("row", 1), ("update", 1, {"text": "x"}, 1), ("delete", 1, 1)):
        with pytest.raises(NotAuthorized):
            two.call(f"tables.todo.1.{name}", *args)
        with pytest.raises(CallFailed) as refusal:  # its own group's procedure, the other's row
            two.call(f"tables.todo.2.{name}", *args)
        assert refusal.value.uri == "tables.error.not_found"
    assert one.call("tables.todo.1.row", 1) == row


def test_a_row_is_moved_by_those_alone_who_see_both_groups(
    todos: Binding, realm: MemoryRealm, sessions: Sessions
) -> None:
    one, both = realm.page(user=1, team=1), realm.page(user=3, team=[1, 2])
    for name, *args in (("create", {"text": "a", "team_id": 2}), ("create", {"text": "a", "team_id": None})):
        with pytest.raises(CallFailed) as refusal:
            one.call(f"tables.todo.1.{name}", *args)
        assert refusal.value.uri == "tables.error.not_allowed"
    one.call("tables.todo.1.create", {"text": "milk"})
    for team in (2, None):
        with pytest.raises(CallFailed) as refusal:
            one.call("tables.todo.1.update", 1, {"team_id": team}, 1)
        assert refusal.value.uri == "tables.error.not_allowed"
    assert both.call("tables.todo.1.update", 1, {"team_id": 2}, 1)["values"]["team_id"] == 2
    assert both.call("tables.todo.2.row", 1)["version"] == 2


def test_what_was_announced_is_for_every_group(todos: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    pages = [listening(realm.page(user=team, team=team), team) for team in (1, 2)]
    session = sessions()
    session.execute(update(Todo).values(text="x", version=Todo.version + 1))
    session.commit()
    session.add_all(Todo(text=str(number), team_id=1) for number in range(501))
    session.commit()
    for page in pages:
        assert [each.args[0] for each in page.heard] == [{"reset": True}] * 2


def test_what_may_be_done_is_said_of_each_row(todos: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    session.add(Todo(text="locked", team_id=1))
    session.commit()
    page = realm.page(user=1, team=1)
    (row,) = page.call("tables.todo.1.snapshot")["rows"]
    assert row["may"] == page.call("tables.todo.1.row", 1)["may"] == []


def test_a_group_cannot_be_given_beside_the_uri(todos: Binding, realm: MemoryRealm, sessions: Sessions) -> None:
    session = sessions()
    session.add(Todo(text="rope", team_id=2))
    session.commit()
    with pytest.raises(CallFailed):
        realm.page(user=1, team=1).call("tables.todo.1.snapshot", group="2")
    with pytest.raises(CallFailed):
        realm.page(user=1, team=1).call("tables.todo.1.snapshot", None, "2")


def test_a_group_that_cannot_be_has_no_rows(todos: Binding, realm: MemoryRealm) -> None:
    page = realm.page(user=1, team=["x", "99999999999"])
    for group in ("x", "99999999999"):
        with pytest.raises(CallFailed) as refusal:
            page.call(f"tables.todo.{group}.snapshot")
        assert refusal.value.uri == "tables.error.not_found"


def test_groups_by_name_that_every_reader_may_see(wamp: WAMP, realm: MemoryRealm, sessions: Sessions) -> None:
    lines = wamp.bind(Line, fields=("text",), group="room", claim=None, session=sessions)
    page = realm.page()
    page.subscribe("tables.line.harbour..changed")
    session = sessions()
    session.add_all([Line(room="harbour", text="a"), Line(room="market", text="b")])
    session.commit()
    assert [each.topic for each in page.heard] == ["tables.line.harbour.1.changed"]
    session.add(Line(room="Two Words", text="c"))
    with pytest.raises(InvalidURI, match="cannot name a group of rows"):
        session.commit()
    session.rollback()
    lines.unwatch()


def test_who_may_see_a_group_must_be_said(wamp: WAMP) -> None:
    with pytest.raises(ConfigError, match="does not say who may see a group"):
        wamp.bind(Todo, fields=("text",), group="team_id")
    with pytest.raises(ConfigError, match="is for tables with groups"):
        wamp.bind(Todo, fields=("text",), claim="team")
    with pytest.raises(ConfigError, match="not a column"):
        wamp.bind(Todo, fields=("text",), group="team", claim="team")


# -- on raw frames, past everything that pages of ours would do


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(rate=0, follow_workers=True) as running:
        yield running


@pytest.fixture
def served(node: RouterNode, sessions: Sessions, tmp_path: Path) -> Iterator[Flask]:
    wamp, app = WAMP(), Flask("bound", instance_path=str(tmp_path))
    app.config.update(node.config)
    wamp.init_app(app)
    bound = [
        wamp.bind(
            Todo,
            fields=("text", "team_id"),
            group="team_id",
            claim="team",
            readers=("user", "admin"),
            writers="admin",
            can_read=lambda _caller, todo: todo.text != "hidden",
            session=sessions,
        ),
        wamp.bind(Line, fields=("room", "text"), session=sessions),
    ]
    with app.app_context():
        wamp.connect()
    yield app
    app.extensions["wamp"].stop()
    for each in bound:
        each.unwatch()


def is_refused(wire: Wire, kind: int, uri: str, match: str = "exact") -> bool:
    options = {"match": match} if kind == SUBSCRIBE else {}
    answer = wire.ask(kind, uri, options=options)
    return bool(answer[0] == ERROR and answer[4] == "wamp.error.not_authorized")


TOPICS = [
    ("tables.todo.1.5.changed", "exact"),
    ("tables.todo.1..changed", "wildcard"),
    ("tables.todo...changed", "wildcard"),
    ("tables.todo..5.changed", "wildcard"),
    ("tables.todo.1..deleted", "wildcard"),
    ("tables.todo...deleted", "wildcard"),
    ("tables.todo...", "wildcard"),
    ("tables....", "wildcard"),
    ("tables.todo.1", "prefix"),
    ("tables.todo", "prefix"),
    ("tables.todo.01..changed", "wildcard"),
]


@pytest.mark.parametrize("who", ["visitor", "of team 2", "without a team"])
def test_frames_of_those_who_are_not_in_the_team_get_nothing(served: Flask, node: RouterNode, who: str) -> None:
    role = "visitor" if who == "visitor" else "admin"
    claims: dict[str, Any] = {"visitor": {"team": 1}, "of team 2": {"team": 2}}.get(who, {})
    with served.app_context(), node.session(role, f"{role}:1", **claims) as wire:
        for topic, match in TOPICS:
            assert is_refused(wire, SUBSCRIBE, topic, match), (topic, match)
        for name in ("snapshot", "row", "create", "update", "delete"):
            assert is_refused(wire, CALL, f"tables.todo.1.{name}"), name
            assert wire.ask(CALL, f"tables.todo.{name}")[0] == ERROR, name


def test_of_the_team_roles_and_rights_of_rows_hold(served: Flask, node: RouterNode, sessions: Sessions) -> None:
    with served.app_context(), node.session("user", "user:1", team=[1, 3]) as wire:
        for name in ("create", "update", "delete"):
            assert is_refused(wire, CALL, f"tables.todo.1.{name}")
        assert wire.ask(SUBSCRIBE, "tables.todo.1..changed", options={"match": "wildcard"})[0] == SUBSCRIBED
        session = sessions()
        session.add_all([Todo(text="hidden", team_id=1), Todo(text="rope", team_id=2), Todo(text="milk", team_id=1)])
        session.commit()
        told = [wire.receive(10) for _ in range(2)]
        assert {message[0] for message in told} == {EVENT}
        assert sorted(message[4][0]["pk"] for message in told) == [1, 3]
        assert "values" not in str(told)  # with can_read, each page asks
        assert [row["values"]["text"] for row in wire.call("tables.todo.1.snapshot")["rows"]] == ["milk"]
        for key in (1, 2):
            with pytest.raises(Refused) as refusal:
                wire.call("tables.todo.1.row", key)
            assert refusal.value.uri == "tables.error.not_found"
        assert wire.ask(SUBSCRIBE, "tables.todo.3..changed", options={"match": "wildcard"})[0] == SUBSCRIBED


def test_a_table_without_groups_takes_none(served: Flask, node: RouterNode) -> None:
    with served.app_context(), node.session("admin", "user:1", team=1) as wire:
        answer = wire.ask(CALL, "tables.line.snapshot", [None], {"group": "1"})
        assert (answer[0], answer[4]) == (ERROR, "tables.error.invalid")
        assert is_refused(wire, CALL, "tables.line.1.snapshot")
