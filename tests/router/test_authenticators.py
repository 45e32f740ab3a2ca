"""Who gets in: forged, expired, revoked and misdirected tickets, guests without one, and lies in HELLO."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from wampflask.plugin.tickets import MAX_LENGTH, Tickets
from wampflask.revocations import revoke
from wampflask.router import wire as w
from wampflask.router.wire import Refused, Wire, WireError, wait_until
from wampflask.testing import RouterNode

INVALID = "wampflask.error.ticket_invalid"
EXPIRED = "wampflask.error.ticket_expired"
REVOKED = "wampflask.error.ticket_revoked"


def refusal(url: str, realm: str, ticket: Any) -> Refused:
    with Wire(url) as wire, pytest.raises(Refused) as refused:
        wire.join(realm, ticket)
    return refused.value


@pytest.fixture
def guest(node: RouterNode) -> str:
    return node.tickets().mint("visitor", "visitor:v1")


def test_a_ticket_joins_and_may_be_used_again(node: RouterNode, guest: str) -> None:
    """Until it expires, so that a page that loses its first answer need not ask twice."""
    for _ in range(2):
        with Wire(node.ws_url) as wire:
            wire.join(node.realm, guest)
            assert (wire.details["authid"], wire.details["authrole"]) == ("visitor:v1", "visitor")


def test_the_ticket_decides_not_hello(node: RouterNode, guest: str) -> None:
    """Whatever a client calls itself, and whatever it claims beside its ticket."""
    lies = {"claims": {"host": "web1"}, "role": "admin", "authrole": "admin", "authid": "backend"}
    with Wire(node.ws_url) as wire:
        hello = {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "backend", "authrole": "backend"}
        wire.send([w.HELLO, node.realm, {**hello, "authextra": lies}])
        assert wire.receive()[0] == w.CHALLENGE
        wire.send([w.AUTHENTICATE, guest, lies])
        welcome = wire.receive()

    assert welcome[0] == w.WELCOME
    assert (welcome[2]["authid"], welcome[2]["authrole"]) == ("visitor:v1", "visitor")
    assert welcome[2]["authextra"]["claims"] == {}


def forgeries(node: RouterNode, ticket: str) -> Iterator[Any]:
    payload, signature = ticket.rsplit(".", 1)
    admin = base64.urlsafe_b64encode(
        json.dumps(
            {"role": "admin", "authid": "user:1", "realm": node.realm, "claims": {}, "issued": time.time()}
        ).encode()
    ).decode()
    yield Tickets("another secret, just as long", node.realm).mint("admin", "user:1")
    yield f"{admin.rstrip('=')}.{signature}"
    yield f"{payload}.{signature[:-2]}"
    yield f"{payload}."
    yield payload
    yield ""
    yield "." * 20
    yield "x" * (MAX_LENGTH + 1)
    yield ticket + " "
    yield "\ud7ff"


def test_forged_tickets_are_refused(node: RouterNode, guest: str) -> None:
    """Each with the same error, which does not say what was wrong with it."""
    refusals = [refusal(node.ws_url, node.realm, forged) for forged in forgeries(node, guest)]

    assert {refused.uri for refused in refusals} == {INVALID}
    assert {str(refused) for refused in refusals} == {f"{INVALID}: not a ticket"}


@pytest.mark.parametrize("ticket", ["\u0000", "\u0000QUJD", "\u0000\ud7ff", 17, None, ["x"], {"x": 1}])
def test_what_is_no_text_is_no_ticket(node: RouterNode, ticket: Any) -> None:
    """Including WAMP's way to write bytes in JSON: text after a zero character. The router lives on."""
    with Wire(node.ws_url) as wire:
        wire.send([w.HELLO, node.realm, {"roles": {"caller": {}}, "authmethods": ["ticket"]}])
        assert wire.receive()[0] == w.CHALLENGE
        wire.send([w.AUTHENTICATE, ticket, {}])
        try:
            answer = wire.receive()
        except WireError:
            answer = [w.ABORT]

    assert answer[0] == w.ABORT


def test_expired_tickets_are_refused(node: RouterNode) -> None:
    old = Tickets(node.secret, node.realm, clock=lambda: time.time() - node.lifetime - 1)

    assert refusal(node.ws_url, node.realm, old.mint("visitor", "visitor:v1")).uri == EXPIRED


def test_tickets_from_the_future_are_refused(node: RouterNode) -> None:
    """A clock that is wrong by some seconds is forgiven."""
    soon = Tickets(node.secret, node.realm, clock=lambda: time.time() + 3)
    late = Tickets(node.secret, node.realm, clock=lambda: time.time() + 60)

    with Wire(node.ws_url) as wire:
        wire.join(node.realm, soon.mint("visitor", "visitor:v1"))
    assert refusal(node.ws_url, node.realm, late.mint("visitor", "visitor:v1")).uri == INVALID


def test_a_ticket_is_refused_after_log_out(node: RouterNode) -> None:
    """Replayed: issued before the log-out, not expired, and no longer good; a new log-in's is."""
    stolen = node.tickets().mint("user", "user:31")
    other = node.tickets().mint("user", "user:32")
    revoke(node.folder / "revoked", "user:31", lifetime=node.lifetime)

    assert refusal(node.ws_url, node.realm, stolen).uri == REVOKED
    for ticket in (node.tickets().mint("user", "user:31"), other):
        with Wire(node.ws_url) as wire:
            wire.join(node.realm, ticket)


def test_live_sessions_of_a_revoked_login_end_and_stay_out(node: RouterNode) -> None:
    """All of that login's, at once, and nobody else's; their tickets do not bring them back."""
    first, second = (node.tickets().mint("user", "user:41") for _ in range(2))
    with Wire(node.ws_url) as one, Wire(node.ws_url) as two, node.session("user", "user:42") as other:
        one.join(node.realm, first)
        two.join(node.realm, second)
        revoke(node.folder / "revoked", "user:41", lifetime=node.lifetime)
        with node.backend() as backend:
            killed = backend.ask(
                w.CALL, "wamp.session.kill_by_authid", ["user:41"], {"reason": "wampflask.close.revoked"}
            )
        assert killed[0] == w.RESULT
        for ended in (one, two):
            goodbye = ended.receive(timeout=1)
            assert (goodbye[0], goodbye[2]) == (w.GOODBYE, "wampflask.close.revoked")
        assert other.ask(w.CALL, "table.read", [])[4] == "wamp.error.no_such_procedure"
    for ticket in (first, second):
        assert refusal(node.ws_url, node.realm, ticket).uri == REVOKED


@pytest.mark.parametrize(("minted_for", "realm"), [("wampflask", "other"), ("other", "wampflask"), ("third", "third")])
def test_a_ticket_is_for_one_realm(node: RouterNode, minted_for: str, realm: str) -> None:
    ticket = node.tickets(minted_for).mint("visitor", "visitor:v1")

    assert refusal(node.ws_url, realm, ticket).uri == INVALID


def test_the_ticket_does_not_name_the_realm_for_who_names_none(node: RouterNode, guest: str) -> None:
    """A client says which realm it wants."""
    with Wire(node.ws_url) as wire:
        wire.send([w.HELLO, None, {"roles": {"caller": {}}, "authmethods": ["ticket"]}])
        answer = wire.receive()
        if answer[0] == w.CHALLENGE:
            wire.send([w.AUTHENTICATE, guest, {}])
            answer = wire.receive()

    assert answer[0] == w.ABORT


def test_workers_join_by_their_socket_alone(node: RouterNode) -> None:
    """A worker's ticket is of no use in a browser, nor a browser's at the workers' socket."""
    backend = node.tickets().mint("backend", "backend")

    assert refusal(node.ws_url, node.realm, backend).uri == INVALID
    for role in ("visitor", "user", "admin", "agent"):
        assert refusal(node.url, node.realm, node.tickets().mint(role, "user:1")).uri == INVALID
    assert refusal(node.url, node.realm, None).uri == "wamp.error.no_auth_method"


@pytest.mark.parametrize("role", ["trusted", "anonymous", "nobody"])
def test_roles_that_are_not_ours_are_refused(node: RouterNode, role: str) -> None:
    """``trusted`` is Crossbar's own; even our signature does not make a session that."""
    signed: dict[str, Any] = {
        "role": role,
        "authid": "user:1",
        "realm": node.realm,
        "claims": {},
        "issued": time.time(),
    }
    ticket = node.tickets()._signer.dumps(signed)

    assert refusal(node.ws_url, node.realm, ticket).uri == INVALID
    assert refusal(node.url, node.realm, ticket).uri == INVALID


@pytest.mark.parametrize(
    "methods", [[], ["anonymous"], ["cookie"], ["scram"], ["wampcra"], ["tls"], ["cryptosign"], ["x"]]
)
def test_without_a_ticket_nobody_joins(strict_node: RouterNode, methods: list[str]) -> None:
    """Where nothing is declared for anonymous guests there are none."""
    with Wire(strict_node.ws_url, origin="http://pages.example:8080") as wire:
        wire.send([w.HELLO, strict_node.realm, {"roles": {"caller": {}}, "authmethods": methods, "authid": "user:1"}])

        assert wire.receive()[0] == w.ABORT


def test_anonymous_guests_join_where_something_is_declared_for_them(node: RouterNode) -> None:
    with Wire(node.ws_url) as wire:
        wire.join(node.realm, None, authid="backend")

        assert wire.details["authrole"] == "anonymous"
        assert wire.details["authid"] != "backend"


def test_nothing_is_done_before_joining(node: RouterNode) -> None:
    """Calls and publications before WELCOME are not answered; joining still works after them."""
    with node.backend() as backend, Wire(node.ws_url) as wire:
        backend.ask(w.SUBSCRIBE, "table", options={"match": "prefix"})
        wire.send_many([[w.PUBLISH, 1, {"acknowledge": True}, "table.update.1"], [w.CALL, 2, {}, "table.read", []]])
        wire.join(node.realm, node.tickets().mint("visitor", "visitor:v1"))
        assert wire.ask(w.CALL, "table.read", [])[4] == "wamp.error.no_such_procedure"
        with pytest.raises(TimeoutError):
            backend.receive(timeout=0.2)


def test_a_key_that_cannot_be_read_keeps_everybody_out(node: RouterNode, guest: str) -> None:
    """And tells the client neither the reason nor the path; the log has both."""
    key = node.folder / "ticket.key"
    away = key.rename(key.with_suffix(".away"))
    try:
        refused = refusal(node.ws_url, node.realm, guest)
    finally:
        away.rename(key)

    assert str(refused) == "wampflask.error.unavailable: tickets cannot be checked now"
    assert wait_until(lambda: "ticket.key" in node.log(), 5)
    with Wire(node.ws_url) as wire:
        wire.join(node.realm, guest)


def test_no_ticket_and_no_key_is_logged(node: RouterNode, guest: str) -> None:
    with Wire(node.ws_url) as wire:
        wire.join(node.realm, guest)

    assert node.secret not in node.log()
    assert guest not in node.log()
