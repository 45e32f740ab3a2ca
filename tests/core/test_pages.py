"""Pages of tests: the same journey in memory and on a real router."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from wampflask import WAMP, Caller, CallFailed, NoSuchProcedure, NotAuthorized, Permission, caller
from wampflask.presence import Person
from wampflask.testing import Event, MemoryRealm, Page, RouterNode, in_memory

wamp = WAMP()
wamp.permit(
    Permission("todo.team.{team}.said", publish=("user",), subscribe=("user",)),
    Permission("todo.notice", subscribe="everyone"),
    Permission("todo.confirm.{session}", register="everyone"),
)
heard: list[object] = []
people: list[tuple[str, str, str]] = []


@wamp.value("todo.team.{team}.list", allow="user")
def items(team: str) -> list[str]:
    return ["milk", team]


@wamp.register("todo.add.<text>", allow="user")
def add(text: str, count: int = 1) -> dict[str, object]:
    if text == "nothing":
        raise CallFailed("todo.error.empty", "Write something.", text=text)
    items.changed(team="1")
    return {
        "text": text,
        "count": count,
        "by": caller.user_id,
        "session": caller.session,
        "team": caller.claims["team"],
    }


@wamp.subscribe("todo.team.<team>.said")
def said(text: str, team: str) -> None:
    heard.append((text, team))


@wamp.presence("todo.team.{team}", allow="user")
def member(person: Person) -> dict[str, str]:
    return {"name": person.authid.upper()}


@member.on_join
def came(person: Person, team: str) -> None:
    people.append(("came", person.authid, team))


@member.on_leave
def gone(person: Person, team: str) -> None:
    people.append(("gone", person.authid, team))


Open = Callable[..., Page]


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(wamp.permissions) as running:
        yield running


@pytest.fixture(params=["memory", "router"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Flask, Open]]:
    heard.clear()
    people.clear()
    app = Flask("pages", instance_path=str(tmp_path))
    if request.param == "router":
        running: RouterNode = request.getfixturevalue("node")
        app.config.update(running.config)
        wamp.init_app(app)
        with app.app_context():
            wamp.connect(30)
        yield app, running.page
        app.extensions["wamp"].stop()
    else:
        wamp.init_app(app)
        with in_memory(app) as realm:
            yield app, realm.page


def test_a_page_reads_like_the_app(opened: tuple[Flask, Open]) -> None:
    app, page = opened
    with page(user=1, team=1) as ann, page(user=2, team=[1, 2]) as bob, page(user=3, team=2) as cleo, page() as visitor:
        bob.subscribe("todo.team.1.list")
        bob.subscribe("todo.team.2.list")
        with pytest.raises(NotAuthorized):
            cleo.subscribe("todo.team.1.list")
        with pytest.raises(NotAuthorized):
            visitor.call("todo.add.milk")
        assert cleo.call("todo.team.2.list") == ["milk", "2"]

        added = ann.call("todo.add.tea", count=3)
        assert added == {"text": "tea", "count": 3, "by": "1", "session": ann.session, "team": "1"}
        assert bob.wait()[-1].args[0] == ["milk", "1"]
        assert bob.heard[-1].topic == "todo.team.1.list"

        with pytest.raises(CallFailed, match="Write something") as failed:
            ann.call("todo.add.nothing")
        assert failed.value.kwargs == {"text": "nothing"}

        cleo.subscribe("todo.notice")
        visitor.subscribe("todo.notice")
        with app.app_context():
            wamp.to(user=3).publish("todo.notice", text="Hello")
            wamp.publish("todo.notice", text="To all")
        assert [event.kwargs["text"] for event in cleo.wait(2)] == ["Hello", "To all"]
        assert [event.kwargs["text"] for event in visitor.wait(1)] == ["To all"]


def test_pages_publish_and_answer(opened: tuple[Flask, Open]) -> None:
    app, page = opened
    with page(user=1, team=1) as ann, page(user=2, team=1) as bob:
        for one in (ann, bob):
            one.subscribe("todo.team.1.said")
        ann.publish("todo.team.1.said", "hello")
        assert bob.wait() == [Event("todo.team.1.said", ["hello"])]
        assert ann.heard == []
        with pytest.raises(NotAuthorized):
            ann.publish("todo.team.2.said", "hello")

        bob.register(f"todo.confirm.{bob.session}", lambda question: question == "Sure?")
        with pytest.raises(NotAuthorized):
            ann.register(f"todo.confirm.{bob.session}", lambda _question: False)
        with app.app_context():
            assert wamp.to(session=bob.session).call("todo.confirm", "Sure?") is True
            with pytest.raises(NoSuchProcedure):
                wamp.to(session=ann.session).call("todo.confirm", "Sure?")


def test_following_is_being_here(opened: tuple[Flask, Open]) -> None:
    app, page = opened
    with page(user=1, team=1) as ann:
        ann.subscribe("todo.team.1.here")
        with page(user=2, team=1) as bob:
            bob.subscribe("todo.team.1.here")
            here = bob.call("todo.team.1.here")
            assert {who["name"] for who in here.values()} == {"USER:1", "USER:2"}
        with app.app_context():
            assert "user:1" in {person.authid for person in wamp.online("todo.team.1")}


@pytest.fixture
def realm(tmp_path: Path) -> Iterator[MemoryRealm]:
    people.clear()
    heard.clear()
    app = Flask("pages", instance_path=str(tmp_path))
    wamp.init_app(app)
    with in_memory(app) as realm:
        yield realm


def test_in_memory_who_comes_and_goes_is_told_at_once(realm: MemoryRealm) -> None:
    first, second = (realm.page(user=1, team=1) for _ in range(2))
    first.subscribe("todo.team.1.here")
    second.subscribe("todo.team.1.here")
    first.leave()
    assert people == [("came", "user:1", "1")]
    second.leave()
    assert people == [("came", "user:1", "1"), ("gone", "user:1", "1")]


def test_events_of_others_are_delivered(realm: MemoryRealm) -> None:
    bob = realm.page(user=2, team=1)
    bob.subscribe("todo.team.1.said")
    realm.deliver("todo.team.1.said", "hello", caller=Caller(7, "user:1", "user"))
    assert heard == [("hello", "1")]
    assert bob.heard == [Event("todo.team.1.said", ["hello"])]
    assert realm.published == [], "this app published nothing"


def test_published_has_its_options(realm: MemoryRealm) -> None:
    with realm.app.app_context():
        wamp.to(user=3).publish("todo.notice", text="Hello")
    assert realm.published[-1].options.receivers == ["user:3"]
