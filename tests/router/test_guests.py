"""What strangers may learn and do beside the table: identities, options, other sessions, the meta API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from wampflask.router import wire as w
from wampflask.router.wire import Wire
from wampflask.testing import RouterNode

SPOOF = [{"session": 1, "authid": "user:1", "authrole": "admin"}]


@pytest.fixture
def backend(node: RouterNode) -> Iterator[Wire]:
    with node.backend() as session:
        yield session


@pytest.fixture
def alice(node: RouterNode) -> Iterator[Wire]:
    with node.session("user", "user:1") as session:
        yield session


@pytest.fixture
def victor(node: RouterNode) -> Iterator[Wire]:
    """A visitor."""
    with node.session("visitor", "visitor:v1") as session:
        yield session


@pytest.fixture
def vera(node: RouterNode) -> Iterator[Wire]:
    """Another visitor."""
    with node.session("visitor", "visitor:v2") as session:
        yield session


def invoke(caller: Wire, callee: Wire, procedure: str, **options: Any) -> dict[str, Any]:
    """The details of the invocation that a call causes."""
    assert callee.ask(w.REGISTER, procedure)[0] == w.REGISTERED
    caller.send([w.CALL, next(caller.requests), options, procedure])
    invocation = callee.receive()
    assert invocation[0] == w.INVOCATION
    details: dict[str, Any] = invocation[3]
    return details


def test_handlers_learn_their_caller(backend: Wire, victor: Wire) -> None:
    """The backend is told who calls, by the router, without the caller's help."""
    details = invoke(victor, backend, "table.read")

    assert (details["caller"], details["caller_authid"], details["caller_authrole"]) == (
        victor.session,
        "visitor:v1",
        "visitor",
    )


def test_visitors_do_not_learn_who_calls_them(victor: Wire, vera: Wire) -> None:
    """A page that provides a procedure is not told which visitor calls it."""
    details = invoke(vera, victor, "table.remote.a1.play")

    assert not [name for name in details if "caller" in name]


def test_callers_do_not_learn_whose_page_answers(victor: Wire, vera: Wire) -> None:
    """The result of a visitor's page says nothing of that visitor, nor what the page would like it to say."""
    vera.ask(w.REGISTER, "table.remote.a4.play")
    request = next(victor.requests)
    victor.send([w.CALL, request, {}, "table.remote.a4.play"])
    invocation = vera.receive()
    vera.send([w.YIELD, invocation[1], {"forward_for": SPOOF}, ["done"]])

    assert victor.receive() == [w.RESULT, request, {}, ["done"]]


def test_joining_tells_nothing_of_the_routers_insides(victor: Wire) -> None:
    """Not its host, not its process."""
    assert victor.details["authextra"] == {"claims": {}}
    assert not [name for name in victor.details if name.startswith("x_")]


def test_where_it_is_declared_they_do(victor: Wire, vera: Wire) -> None:
    """``disclose=True`` tells a page who calls."""
    assert invoke(vera, victor, "table.remote.a1.open")["caller_authid"] == "visitor:v2"


def test_subscribers_do_not_learn_who_published(victor: Wire, alice: Wire) -> None:
    """An event carries no identity unless it was declared."""
    victor.ask(w.SUBSCRIBE, "table.room.r1.message")
    alice.ask(w.PUBLISH, "table.room.r1.message", ["hello"], options={"acknowledge": True})

    event = victor.receive()

    assert event[0] == w.EVENT
    assert event[4] == ["hello"]
    assert not [name for name in event[3] if "publisher" in name]


def test_where_it_is_declared_subscribers_do(node: RouterNode, alice: Wire) -> None:
    """``disclose=True`` tells subscribers who published."""
    with node.session("admin", "user:2") as admin:
        admin.ask(w.SUBSCRIBE, "table.room.r1.presence")
        alice.ask(w.PUBLISH, "table.room.r1.presence", options={"acknowledge": True})

        assert admin.receive()[3]["publisher_authid"] == "user:1"


@pytest.mark.parametrize(
    ("kind", "uri", "options"),
    [
        (w.CALL, "table.read", {"forward_for": SPOOF}),
        (w.PUBLISH, "table.room.r1.message", {"forward_for": SPOOF}),
        (w.SUBSCRIBE, "table.room.r1.message", {"forward_for": SPOOF}),
        (w.PUBLISH, "table.room.r1.message", {"retain": True}),
        (w.PUBLISH, "table.room.r1.message", {"eligible": [1]}),
        (w.PUBLISH, "table.room.r1.message", {"eligible_authid": ["visitor:v1"]}),
        (w.PUBLISH, "table.room.r1.message", {"eligible_authrole": ["visitor"]}),
        (w.PUBLISH, "table.room.r1.message", {"exclude": [1]}),
        (w.PUBLISH, "table.room.r1.message", {"exclude_authid": ["visitor:v1"]}),
        (w.PUBLISH, "table.room.r1.message", {"exclude_authrole": ["visitor"]}),
    ],
)
def test_options_that_lie_or_linger_are_refused(alice: Wire, kind: int, uri: str, options: dict[str, Any]) -> None:
    """Crossbar would take a caller's identity from forward_for, retain for ever, and show one victim other events."""
    acknowledge = {"acknowledge": True} if kind == w.PUBLISH else {}

    assert alice.ask(kind, uri, options=acknowledge)[0] != w.ERROR or kind == w.CALL
    assert alice.ask(kind, uri, options={**acknowledge, **options})[4] == "wamp.error.not_authorized"


@pytest.mark.parametrize(
    "options", [{"concurrency": 2}, {"invoke": "roundrobin"}, {"force_reregister": True}, {"forward_for": SPOOF}]
)
def test_visitors_register_alone_and_take_nothing_over(victor: Wire, vera: Wire, options: dict[str, Any]) -> None:
    """Nobody pushes another page off its procedure, or shares it."""
    assert victor.ask(w.REGISTER, "table.remote.a2.play")[0] == w.REGISTERED

    assert vera.ask(w.REGISTER, "table.remote.a2.play", options=options)[0] == w.ERROR
    assert vera.ask(w.REGISTER, "table.remote.a3.play", options=options)[4] == "wamp.error.not_authorized"


def test_an_agent_takes_its_own_procedure_back(node: RouterNode) -> None:
    """After a lost connection the new session replaces the old one's; a URI with a claim is one agent's."""
    options = {"force_reregister": True}
    with (
        node.session("agent", "agent:web1", host="web1") as old,
        node.session("agent", "agent:web1", host="web1") as new,
    ):
        assert old.ask(w.REGISTER, "table.host.web1.configure")[0] == w.REGISTERED

        assert new.ask(w.REGISTER, "table.host.web1.configure", options=options)[0] == w.REGISTERED
        assert new.ask(w.REGISTER, "table.host.web2.configure", options=options)[4] == "wamp.error.not_authorized"


def test_others_registrations_and_subscriptions_are_out_of_reach(backend: Wire, victor: Wire) -> None:
    """Knowing an id is not owning it."""
    registration = backend.ask(w.REGISTER, "table.write")[2]
    subscription = backend.ask(w.SUBSCRIBE, "table.update.1")[2]

    for kind, identifier in ((w.UNREGISTER, registration), (w.UNSUBSCRIBE, subscription)):
        request = next(victor.requests)
        victor.send([kind, request, identifier])
        assert victor.receive()[0] == w.ERROR
    assert backend.call("wamp.registration.count_callees", registration) == 1
    assert backend.call("wamp.subscription.count_subscribers", subscription) == 1


def test_a_refusal_tells_nothing_of_others(victor: Wire) -> None:
    """Only the asking session's own names stand in an error."""
    answer = victor.ask(w.CALL, "wamp.session.list", [])

    assert answer[4] == "wamp.error.not_authorized"
    assert "visitor:v1" in answer[5][0]
    assert "/" not in answer[5][0]
    assert "rule" not in answer[5][0]


def test_the_second_realm_has_its_own_rules(node: RouterNode, victor: Wire) -> None:
    """What one app declares is not granted in another app's realm."""
    with node.session("visitor", "visitor:v1", realm="other") as elsewhere:
        assert elsewhere.ask(w.CALL, "elsewhere.read", [])[4] == "wamp.error.no_such_procedure"
        assert elsewhere.ask(w.CALL, "table.read", [])[4] == "wamp.error.not_authorized"
    assert victor.ask(w.CALL, "elsewhere.read", [])[4] == "wamp.error.not_authorized"


def test_the_backend_may_do_everything(backend: Wire) -> None:
    """Flask workers are not asked."""
    assert backend.ask(w.REGISTER, "anything.at.all", options={"invoke": "roundrobin"})[0] == w.REGISTERED
    assert backend.ask(w.SUBSCRIBE, "table", options={"match": "prefix"})[0] == w.SUBSCRIBED
    assert backend.ask(w.PUBLISH, "table.update.1", options={"acknowledge": True})[0] == w.PUBLISHED
    assert backend.call("wamp.session.count") >= 1
