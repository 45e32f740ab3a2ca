"""People and their pages over a real router: addressed, refreshed, disconnected, blocked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any, cast

import pytest
from flask import Flask

from wampflask import WAMP, Identity, NoSuchProcedure, Permission, PublishOptions
from wampflask.plugin import blocks
from wampflask.revocations import block
from wampflask.roles import Roles
from wampflask.router.wire import (
    CALL,
    ERROR,
    EVENT,
    GOODBYE,
    INVOCATION,
    REGISTER,
    REGISTERED,
    SUBSCRIBE,
    SUBSCRIBED,
    YIELD,
    Refused,
    Wire,
    WireError,
    wait_until,
)
from wampflask.testing import RouterNode

PERMISSIONS = (
    Permission("who.notice", subscribe="everyone"),
    Permission("who.team.{team}", subscribe="staff"),
    Permission("who.confirm.{session}", register="staff"),
    Permission("who.other", register="staff"),
)
ROLES = Roles(("customer", "staff"), ("till",))

Join = Callable[..., Wire]


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(PERMISSIONS, rate=0, roles=ROLES) as running:
        yield running


@pytest.fixture(scope="module")
def wamp() -> WAMP:
    wamp = WAMP(roles=ROLES.people, programs=ROLES.programs)
    wamp.permit(*PERMISSIONS)
    return wamp


@pytest.fixture(scope="module")
def app(node: RouterNode, wamp: WAMP) -> Iterator[Flask]:
    app = Flask("people", instance_path=str(node.folder))
    app.config.update(node.config)
    wamp.init_app(app)
    with app.app_context():
        wamp.connect()
    yield app
    app.extensions["wamp"].stop()


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def page(node: RouterNode) -> Iterator[Join]:
    opened: list[Wire] = []

    def join(role: str, user: object, **claims: Any) -> Wire:
        who = Identity(role, user, **claims)
        opened.append(node.session(role, who.authid, **claims))
        return opened[-1]

    yield join
    for wire in opened:
        wire.close()


def follow(wire: Wire, topic: str) -> Wire:
    assert wire.ask(SUBSCRIBE, topic)[0] == SUBSCRIBED
    return wire


def heard(wire: Wire) -> Any:
    message = wire.receive(5)
    assert message[0] == EVENT, message
    return message[4][0]


# -- roles of an app's own


def test_roles_of_an_apps_own_join_and_others_do_not(node: RouterNode, page: Join) -> None:
    assert page("customer", 1).details["authrole"] == "customer"
    for role in ("user", "admin", "agent"):
        with pytest.raises(ValueError, match="the roles are visitor, customer, staff, till"):
            node.tickets().mint(role, "user:1")


@pytest.mark.parametrize("role", ["trusted", "anonymous", "user", "backend"])
def test_no_signature_lets_another_role_in(node: RouterNode, role: str) -> None:
    """Not even of somebody who has the key: the router's configuration says who joins over the network."""
    tickets = node.tickets()
    tickets.roles = (*tickets.roles, "trusted", "anonymous", "user")
    with Wire(node.ws_url) as wire, pytest.raises(Refused) as refused:
        wire.join(node.realm, tickets.mint(role, "user:1"))
    assert refused.value.uri == "wampflask.error.ticket_invalid"


# -- claims


def test_a_claim_of_several_values_means_any(page: Join, wamp: WAMP) -> None:
    ann = page("staff", 1, team=[1, 2])
    follow(ann, "who.team.1")
    follow(ann, "who.team.2")
    assert ann.ask(SUBSCRIBE, "who.team.3")[0] == ERROR
    assert ann.ask(SUBSCRIBE, "who.team.", options={"match": "wildcard"})[0] == ERROR
    wamp.publish("who.team.2", "for two")
    assert heard(ann) == "for two"


# -- to()


def test_every_page_of_a_person_and_nobody_elses(page: Join, wamp: WAMP) -> None:
    one, two, other = page("customer", "ann@example.org"), page("customer", "ann@example.org"), page("customer", 2)
    for wire in (one, two, other):
        follow(wire, "who.notice")
    wamp.to(user="ann@example.org").publish("who.notice", "hello ann")
    wamp.to(user=["ann@example.org", 2]).publish("who.notice", "hello both")
    wamp.to(user=[]).publish("who.notice", "hello nobody")
    assert [heard(one), heard(one), heard(two), heard(two)] == ["hello ann", "hello both"] * 2
    wamp.publish("who.notice", "all")
    assert [heard(other), heard(other)] == ["hello both", "all"]


def test_one_page_and_all_but_one(page: Join, wamp: WAMP) -> None:
    one, two, other = page("customer", 1), page("customer", 1), page("customer", 2)
    for wire in (one, two, other):
        follow(wire, "who.notice")
    wamp.to(session=two.session).publish("who.notice", "second tab")
    wamp.to(user=1, except_session=one.session).publish("who.notice", "other tab")
    wamp.to(except_user=1).publish("who.notice", "not ann")
    wamp.to(session=[]).publish("who.notice", "no tab")
    wamp.to(session=[one.session, other.session]).publish_later("who.notice", "later")
    wamp.to(session=other.session).publish_latest("who.notice", "latest")
    assert [heard(two), heard(two)] == ["second tab", "other tab"]
    assert [heard(other) for _ in range(3)] == ["not ann", "later", "latest"]
    wamp.publish("who.notice", "all")
    assert [heard(one), heard(one), heard(two)] == ["later", "all", "all"]


def test_an_audience_must_be_named(wamp: WAMP) -> None:
    with pytest.raises(TypeError, match="Say to whom"):
        wamp.to()
    with pytest.raises(TypeError, match="Only one page"):
        wamp.to(user=1).call("who.confirm")
    with pytest.raises(ValueError, match="is an authid"):
        wamp.to(user="user:1")
    with pytest.raises(ValueError, match="not the authid of a visitor"):
        wamp.to(visitor="user:1")
    for wrong in (True, "17", [1.5], [True], b"1"):
        with pytest.raises(TypeError):
            PublishOptions(eligible_session=cast("Any", wrong if isinstance(wrong, list) else [wrong]))


def test_a_page_is_asked_by_its_session(page: Join, wamp: WAMP) -> None:
    one, two = page("staff", 1), page("staff", 1)
    for wire in (one, two):
        assert wire.ask(REGISTER, f"who.confirm.{wire.session}")[0] == REGISTERED
    for not_its_own in (two.session, "x", "{session}", one.session + 1):
        assert one.ask(REGISTER, f"who.confirm.{not_its_own}")[4] != "wamp.error.procedure_already_exists"
        assert one.ask(REGISTER, f"who.confirm.{not_its_own}")[0] == ERROR

    def answer() -> None:
        invocation = two.receive(5)
        assert invocation[0] == INVOCATION
        two.send([YIELD, invocation[1], {}, [f"two says {invocation[4][0]}"]])

    answering = Thread(target=answer)
    answering.start()
    assert wamp.to(session=two.session).call("who.confirm", "Delete?") == "two says Delete?"
    answering.join()
    with pytest.raises(NoSuchProcedure):
        wamp.to(session=1).call("who.confirm")


# -- refresh, disconnect


def ended(wire: Wire) -> tuple[str, str | None]:
    message = wire.receive(5)
    assert message[0] == GOODBYE, message
    return message[2], message[1].get("message")


def test_a_refresh_ends_sessions_and_their_tickets(node: RouterNode, page: Join, wamp: WAMP) -> None:
    """Also the ticket that was fetched a moment ago: it says what is true no more."""
    old = node.tickets().mint("staff", "user:5", team=[1])
    ann, bob = page("staff", 5, team=[1]), page("staff", 6, team=[1])
    follow(bob, "who.team.1")
    wamp.refresh(user=5)
    assert ended(ann) == ("wampflask.close.refresh", None)
    with Wire(node.ws_url) as again, pytest.raises(Refused, match="revoked"):
        again.join(node.realm, old)
    new = page("staff", 5, team=[2])
    assert new.ask(SUBSCRIBE, "who.team.1")[0] == ERROR
    follow(new, "who.team.2")
    wamp.publish("who.team.1", "still here")
    assert heard(bob) == "still here"


def test_who_does_not_leave_is_closed(page: Join, wamp: WAMP) -> None:
    """A page of ours says goodbye; one that means to hear on says nothing."""
    spy, other = follow(page("staff", 7, team=[1]), "who.team.1"), page("staff", 7)
    wamp.refresh(user=7)
    assert ended(spy)[0] == "wampflask.close.refresh"
    wamp.disconnect(user=7)  # again: one that is leaving does not keep the others
    assert ended(other)[0] == "wampflask.close.refresh"

    def is_closed() -> bool:
        try:
            spy.receive(0.1)
        except TimeoutError:
            return False
        except WireError:
            return True
        return False

    assert wait_until(is_closed, 5)


def test_a_page_or_a_person_is_disconnected(page: Join, wamp: WAMP) -> None:
    one, two = page("customer", 8), page("customer", 8)
    wamp.disconnect(session=one.session, reason="Idle")
    assert ended(one) == ("wampflask.close.disconnected", "Idle")
    one.close()
    assert two.ask(CALL, "who.nothing")[0] == ERROR, "it is still there"
    wamp.disconnect(user=8, reason="Closed")
    assert ended(two) == ("wampflask.close.disconnected", "Closed")
    wamp.disconnect(session=one.session)
    wamp.disconnect(user="nobody")
    page("customer", 8)
    for wrong in ({}, {"user": 1, "visitor": "visitor:1"}):
        with pytest.raises(TypeError, match="Say who"):
            wamp.disconnect(**wrong)  # type: ignore[arg-type]


# -- block


def test_a_blocked_person_is_out_and_stays_out(app: Flask, node: RouterNode, page: Join, wamp: WAMP) -> None:
    who: list[Identity | None] = [Identity("customer", 9)]
    wamp.identify(lambda: who[0])
    client, kept = app.test_client(), node.tickets().mint("customer", "user:9")
    ann, other = page("customer", 9), page("customer", 10)
    until = datetime.now(UTC) + timedelta(hours=1)
    wamp.block(user=9, until=until, reason="Too many orders")

    assert ended(ann) == ("wampflask.close.blocked", "Too many orders")
    with Wire(node.ws_url) as again, pytest.raises(Refused) as refused:
        again.join(node.realm, kept)
    assert str(refused.value) == "wampflask.close.blocked: Too many orders"
    response = client.get("/wamp/ticket")
    assert response.status_code == 403
    assert response.get_json() == {
        "error": "wampflask.close.blocked",
        "message": "Too many orders",
        "until": until.isoformat(),
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert other.ask(CALL, "who.nothing")[0] == ERROR, "nobody else"

    wamp.unblock(user=9)
    assert client.get("/wamp/ticket").status_code == 200
    with Wire(node.ws_url) as again:
        again.join(node.realm, kept)


def test_a_block_ends_by_itself(node: RouterNode, page: Join, wamp: WAMP) -> None:
    kept = node.tickets().mint("visitor", "visitor:9f")
    wamp.block(visitor="visitor:9f", until=0.2)

    def joins() -> bool:
        with Wire(node.ws_url) as wire:
            try:
                wire.join(node.realm, kept)
            except Refused as error:
                return error.uri != "wampflask.close.blocked"
            return True

    assert wait_until(joins, 10)


def test_a_block_without_an_end_says_so(app: Flask, wamp: WAMP) -> None:
    wamp.identify(lambda: Identity("customer", 11))
    wamp.block(user=11)
    assert app.test_client().get("/wamp/ticket").get_json() == {
        "error": "wampflask.close.blocked",
        "message": None,
        "until": None,
    }


@pytest.mark.parametrize("until", [datetime(2999, 1, 1), datetime(2000, 1, 1, tzinfo=UTC), 0, -5, float("nan")])  # noqa: DTZ001
def test_moments_that_cannot_be(wamp: WAMP, until: Any) -> None:
    with pytest.raises(ValueError, match="until="):
        wamp.block(user=12, until=until)


def test_the_file_of_blocks_stays_small(tmp_path: Any) -> None:
    file, now = tmp_path / "blocked", time.time()
    block(file, "user:0", blocks.Block(None, "for good"), now=now)
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open("a", encoding="utf-8") as handle:
        handle.writelines(blocks.line(f"user:{number}", blocks.Block(now + 5, "why")) for number in range(2, 3000))
    block(file, "user:1", blocks.Block(now + 9, ""), now=now + 6)
    assert blocks.parse(file.read_text(encoding="utf-8")) == {
        "user:0": blocks.Block(None, "for good"),
        "user:1": blocks.Block(now + 9, ""),
    }
    assert file.stat().st_mode & 0o777 == 0o600
    found = blocks.parse('["user:1", null, "x"]\nnonsense\n["a"]\n["user:2", null')
    assert found == {"user:1": blocks.Block(None, "x")}
