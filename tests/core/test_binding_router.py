"""A bound model over a real router: a page's snapshot and the stream after it have no gap between them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from rig.databases import engine_in
from tests.core.test_binding import Base, Thing
from wampflask import WAMP
from wampflask.binding import Binding, permissions_for
from wampflask.router.wire import CALL, EVENT, RESULT, SUBSCRIBE, SUBSCRIBED, Refused, Wire
from wampflask.testing import RouterNode

ROUNDS = 300


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    permissions = permissions_for("thing", readers=("visitor", "user"), writers=("user",))
    with RouterNode(permissions, rate=0) as running:
        yield running


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = engine_in(tmp_path, "things")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def app(node: RouterNode, engine: Engine, tmp_path: Path) -> Iterator[Flask]:
    wamp, app = WAMP(), Flask("bound", instance_path=str(tmp_path))
    app.config.update(node.config)
    wamp.init_app(app)
    sessions = scoped_session(sessionmaker(engine))
    bound: Binding = wamp.bind(Thing, fields=("name", "value"), session=sessions)
    with app.app_context():
        wamp.connect()
    yield app
    app.extensions["wamp"].stop()
    bound.unwatch()
    sessions.remove()


class Follower:
    """What a page does: listen, then fetch, then apply whatever is newer."""

    def __init__(self, wire: Wire) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.gone: dict[int, int] = {}
        self._wire = wire
        for topic in ("tables.thing..changed", "tables.thing..deleted"):
            assert wire.ask(SUBSCRIBE, topic, options={"match": "wildcard"})[0] == SUBSCRIBED

    def fetch(self) -> None:
        request = next(self._wire.requests)
        self._wire.send([CALL, request, {}, "tables.thing.snapshot"])
        waiting: list[dict[str, Any]] = []
        while (message := self._wire.receive())[0] == EVENT:
            waiting.append(message[4][0])
        assert message[:2] == [RESULT, request], message
        for state in (*message[3][0]["rows"], *waiting):
            self._apply(state)

    def listen(self, last: tuple[int, int]) -> None:
        """Until the row ``last[0]`` has come to version ``last[1]``."""
        while self.gone.get(last[0], 0) < last[1]:
            self.hear()

    def hear(self) -> None:
        """One event; fails when none comes any more."""
        message = self._wire.receive(10)
        assert message[0] == EVENT, message
        self._apply(message[4][0])

    def agrees_with(self, engine: Engine) -> bool:
        """Whether this shows what the database has."""
        return {pk: (row["version"], row["values"]["value"]) for pk, row in self.rows.items()} == stored(engine)

    def _apply(self, state: dict[str, Any]) -> None:
        pk, version = state["pk"], state["version"]
        newest = max(self.rows.get(pk, {}).get("version", 0), self.gone.get(pk, 0))
        if version <= newest:
            return
        if state.get("deleted"):
            self.gone[pk] = version
            self.rows.pop(pk, None)
        else:
            self.rows[pk] = state


def stored(engine: Engine) -> dict[int, tuple[int, int]]:
    with Session(engine) as session:
        return {row.id: (row.version, row.value) for row in session.query(Thing)}


def write(app: Flask, engine: Engine) -> None:
    """Many commits: rows made, changed and deleted; the row "last" is deleted at the very end."""
    with app.app_context(), Session(engine) as session:
        last = Thing(name="last")
        session.add(last)
        session.commit()
        for number in range(ROUNDS):
            row = Thing(name=f"n{number}", value=number)
            session.add(row)
            session.commit()
            row.value += 1000
            if number % 10 == 0:
                session.delete(row)
                session.add(Thing(name=f"again{number}"))
            session.commit()
        session.delete(last)
        session.commit()


def test_snapshot_and_stream_have_no_gap(app: Flask, engine: Engine, node: RouterNode) -> None:
    writer = threading.Thread(target=write, args=(app, engine), daemon=True)
    with node.session("visitor", "visitor:1") as wire:
        follower = Follower(wire)
        writer.start()
        while len(follower.rows) < ROUNDS // 3:  # in the middle of it all
            assert writer.is_alive()
            follower.fetch()
        follower.listen((1, 2))
        writer.join(30)
        while not follower.agrees_with(engine):  # a row's newest change may be told after the deletion of another
            follower.hear()
        assert len(follower.rows) == ROUNDS


def test_the_router_keeps_the_roles_apart(app: Flask, node: RouterNode) -> None:
    with node.session("visitor", "visitor:1") as visitor, node.session("user", "user:1") as user:
        row = user.call("tables.thing.create", {"name": "a"})
        assert visitor.call("tables.thing.row", row["pk"]) == row
        for procedure, *args in (
            ("create", {"name": "b"}),
            ("update", row["pk"], {"value": 1}, 1),
            ("delete", row["pk"], 1),
        ):
            with pytest.raises(Refused) as refusal:
                visitor.call(f"tables.thing.{procedure}", *args)
            assert refusal.value.uri == "wamp.error.not_authorized"


def test_two_who_write_at_once_are_not_both_taken(app: Flask, node: RouterNode) -> None:
    with node.session("user", "user:1") as first:
        row = first.call("tables.thing.create", {"name": "raced"})
    taken: list[int] = []
    conflicts: list[str] = []
    start = threading.Barrier(8)

    def race(number: int) -> None:
        with node.session("user", f"user:{number}") as wire:
            start.wait(20)
            try:
                taken.append(
                    wire.call("tables.thing.update", row["pk"], {"value": number}, row["version"])["values"]["value"]
                )
            except Refused as error:
                conflicts.append(error.uri)

    racers = [threading.Thread(target=race, args=(number,), daemon=True) for number in range(1, 9)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    with node.session("user", "user:1") as wire:
        now = wire.call("tables.thing.row", row["pk"])
    assert len(taken) == 1
    assert (now["values"]["value"], now["version"]) == (taken[0], 2)
    assert set(conflicts) <= {"tables.error.conflict", "wampflask.error.internal"}


def test_a_bulk_statement_is_heard_as_a_reset(app: Flask, engine: Engine, node: RouterNode) -> None:
    with node.session("visitor", "visitor:1") as wire:
        assert wire.ask(SUBSCRIBE, "tables.thing.reset")[0] == SUBSCRIBED
        with app.app_context(), Session(engine) as session:
            session.add(Thing(name="bulk", value=1))
            session.commit()
            session.execute(update(Thing).values(value=9, version=Thing.version + 1))
            session.commit()
        message = wire.receive(10)
        assert (message[0], message[4]) == (EVENT, [{"reset": True}])
        assert [row["values"]["value"] for row in wire.call("tables.thing.snapshot")["rows"]] == [9]
