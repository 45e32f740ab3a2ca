"""What a real router refuses before it reaches anybody: each side gets its error, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from wampflask.plugin.guard import MAX_SUBSCRIPTIONS
from wampflask.plugin.rules import MAX_LENGTH
from wampflask.plugin.strict_json import MAX_DEPTH, RESERVED
from wampflask.router import wire as w
from wampflask.router.wire import Wire, WireError, wait_until
from wampflask.testing import RouterNode

INVALID = "wamp.error.invalid_payload"
UNAUTHORIZED = "wamp.error.not_authorized"

VALUES = {
    "deeper than allowed": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "deep": b"[" * 900 + b"]" * 900,
    "deep dicts": b'{"a":' * 900 + b"1" + b"}" * 900,
    "too deep to be read": b"[" * 20_000 + b"]" * 20_000,
    "nan": b"NaN",
    "infinity": b"-Infinity",
    "1e999": b"1e999",
    "surrogate": b'"\\ud800"',
    "surrogate key": b'{"\\uDFFF":1}',
    "binary": b'"\\u0000AAAA"',
    "integer": b"9007199254740993",
    "long integer": b"9" * 5000,
}
PAYLOADS = {
    **{f"args {name}": b"[%s]" % value for name, value in VALUES.items()},
    **{f"kwargs {name}": b'[],{"value":%s}' % value for name, value in VALUES.items()},
}


def with_names(kind: int) -> dict[str, bytes]:
    """The bad payloads of one type of message: its reserved keyword arguments, too."""
    return PAYLOADS | {f"named {name}": b'[1],{"%s":2}' % name.encode() for name in sorted(RESERVED[kind])}


def each(payloads: dict[str, bytes]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("payload", payloads.values(), ids=payloads)


class Table:
    """A visitor and a backend, each of which provides a procedure and hears a topic."""

    def __init__(self, node: RouterNode) -> None:
        self.node = node
        self.visitor = node.session("visitor", "visitor:v1")
        self.backend = node.backend()
        self.ours = self._ask(self.backend, w.REGISTER, "table.read")
        self.topic = self._ask(self.backend, w.SUBSCRIBE, "table.mine.visitor_v1")
        self.theirs = self._ask(self.visitor, w.REGISTER, "table.remote.p1.play")

    def _ask(self, wire: Wire, kind: int, uri: str) -> int:
        answer = wire.ask(kind, uri)
        assert answer[0] == kind + 1, answer
        return int(answer[2])

    def close(self) -> None:
        self.visitor.close()
        self.backend.close()

    def call(self, caller: Wire, uri: str) -> int:
        """A call in flight, and its number."""
        request = next(caller.requests)
        caller.send([w.CALL, request, {}, uri])
        return request

    def assert_well(self) -> None:
        """An honest call and an honest event, in the same sessions; they are the next that the backend hears of."""
        request = self.call(self.visitor, "table.read")
        invocation = self.backend.receive()
        assert invocation[:3] == [w.INVOCATION, invocation[1], self.ours]
        self.backend.send([w.YIELD, invocation[1], {}, ["fine"]])
        assert self.visitor.receive() == [w.RESULT, request, {}, ["fine"]]
        assert self.visitor.ask(w.PUBLISH, "table.mine.visitor_v1", ["fine"], options={"acknowledge": True})[0] == 17
        assert self.backend.receive()[4] == ["fine"]


@pytest.fixture(scope="module")
def shared(node: RouterNode) -> Iterator[Table]:
    table = Table(node)
    yield table
    table.close()


@pytest.fixture
def table(shared: Table) -> Iterator[Table]:
    yield shared
    shared.assert_well()


@each(with_names(w.CALL))
def test_a_call(table: Table, payload: bytes) -> None:
    request = next(table.visitor.requests)
    table.visitor.send_raw(b'[48,%d,{},"table.read",%s]' % (request, payload))

    assert table.visitor.receive()[:5] == [w.ERROR, w.CALL, request, {}, INVALID]


def test_a_call_is_told_why(table: Table) -> None:
    table.visitor.send_raw(b'[48,7777,{},"table.read",[1],{"fun":2}]')

    assert table.visitor.receive()[5] == ["a keyword argument must not be called 'fun' here"]


@each(with_names(w.PUBLISH))
@pytest.mark.parametrize("acknowledge", [True, False])
def test_a_publication(table: Table, payload: bytes, acknowledge: bool) -> None:
    """Who asked for no acknowledgement gets no error either, as in WAMP."""
    request = next(table.visitor.requests)
    options = b'{"acknowledge":true}' if acknowledge else b"{}"
    table.visitor.send_raw(b'[16,%d,%s,"table.mine.visitor_v1",%s]' % (request, options, payload))

    if acknowledge:
        assert table.visitor.receive()[:5] == [w.ERROR, w.PUBLISH, request, {}, INVALID]


@each(with_names(w.YIELD))
def test_a_result(table: Table, payload: bytes) -> None:
    """Its caller is not left without an answer."""
    request = table.call(table.backend, "table.remote.p1.play")
    table.visitor.send_raw(b"[70,%d,{},%s]" % (table.visitor.receive()[1], payload))

    assert table.backend.receive()[:5] == [w.ERROR, w.CALL, request, {}, INVALID]


@each(with_names(w.ERROR))
def test_an_error(table: Table, payload: bytes) -> None:
    request = table.call(table.backend, "table.remote.p1.play")
    table.visitor.send_raw(b'[8,68,%d,{},"table.error.own",%s]' % (table.visitor.receive()[1], payload))

    assert table.backend.receive()[:5] == [w.ERROR, w.CALL, request, {}, INVALID]


def test_a_progressive_result_that_nobody_asked_for(table: Table) -> None:
    """It goes nowhere, and the call goes on."""
    request = table.call(table.backend, "table.remote.p1.play")
    invocation = table.visitor.receive()[1]
    table.visitor.send_many([[w.YIELD, invocation, {"progress": True}, [1]], [w.YIELD, invocation, {}, [2]]])

    assert table.backend.receive() == [w.RESULT, request, {}, [2]]


def test_progress_that_was_asked_for(table: Table) -> None:
    request = next(table.visitor.requests)
    table.visitor.send([w.CALL, request, {"receive_progress": True}, "table.read"])
    invocation = table.backend.receive()[1]
    table.backend.send_many([[w.YIELD, invocation, {"progress": True}, [1]], [w.YIELD, invocation, {}, [2]]])

    assert [table.visitor.receive()[2:] for _ in range(2)] == [[{"progress": True}, [1]], [{}, [2]]]


def test_a_backends_messages_are_held_to_the_same(table: Table) -> None:
    request = next(table.backend.requests)
    table.backend.send_raw(b'[16,%d,{"acknowledge":true},"table.update.1",[NaN]]' % request)

    assert table.backend.receive()[:5] == [w.ERROR, w.PUBLISH, request, {}, INVALID]


@pytest.mark.parametrize(("kind", "uri"), [(w.SUBSCRIBE, "table.update.1"), (w.REGISTER, "table.remote.p2.play")])
def test_requests_with_options_that_nobody_can_read(table: Table, kind: int, uri: str) -> None:
    request = next(table.visitor.requests)
    table.visitor.send_raw(b'[%d,%d,{"x":%s},"%s"]' % (kind, request, VALUES["deep"], uri.encode()))

    assert table.visitor.receive()[:5] == [w.ERROR, kind, request, {}, INVALID]


def test_what_is_allowed_passes(table: Table) -> None:
    """As deep as allowed, the largest integer, pairs of surrogates, NUL inside a text."""
    value = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    payload = rb'[%s,9007199254740991,-1.5e300,"\ud83d\ude00","a\"\u0000"],{"value":{}}' % value
    request = next(table.visitor.requests)
    table.visitor.send_raw(b'[48,%d,{},"table.read",%s]' % (request, payload))
    invocation = table.backend.receive()

    assert invocation[4][1:] == [2**53 - 1, -1.5e300, "\U0001f600", 'a"\0']
    assert invocation[5] == {"value": {}}
    table.backend.send([w.YIELD, invocation[1], {}, [1]])
    assert table.visitor.receive() == [w.RESULT, request, {}, [1]]


@pytest.mark.parametrize("data", [b"[1,", b"{}", b"[]", b"[9999,1,{}]", b"[49,%s]" % VALUES["deep"], b"[NaN]"])
def test_what_cannot_be_answered_ends_the_senders_connection_alone(table: Table, data: bytes) -> None:
    with table.node.session("visitor", "visitor:v2") as other:
        other.send_raw(data)
        with pytest.raises(WireError):
            other.receive()


def test_before_the_log_in_nothing_is_answered(table: Table) -> None:
    with Wire(table.node.ws_url) as other:
        other.send_raw(b'[48,1,{},"table.read",[NaN]]')
        assert other.join(table.node.realm, table.node.tickets().mint("visitor", "visitor:v2")).session


def test_calls_of_others_cannot_be_answered(table: Table) -> None:
    """Neither with an error, whose numbers are easily guessed, nor with a result."""
    request = table.call(table.visitor, "table.read")
    invocation = table.backend.receive()
    with table.node.session("visitor", "visitor:v2") as other:
        for number in range(invocation[1] - 5, invocation[1] + 5):
            other.send([w.ERROR, w.INVOCATION, number, {}, "table.error.forged", ["forged"]])
        other.ask(w.CALL, "table.none")  # the router has read them all
        other.send([w.YIELD, invocation[1], {}, ["forged"]])
        with pytest.raises(WireError):
            other.receive()
    table.backend.send([w.YIELD, invocation[1], {}, ["right"]])

    assert table.visitor.receive() == [w.RESULT, request, {}, ["right"]]


def test_a_call_has_a_number_of_its_own(table: Table) -> None:
    """Crossbar would lose count, and keep what a worker provides when the worker has gone."""
    with table.node.session("visitor", "visitor:v2") as other:
        other.send_many([[w.CALL, 50, {}, "table.read", [n]] for n in (1, 2)])
        invocation = table.backend.receive()
        assert other.receive()[:5] == [w.ERROR, w.CALL, 50, {}, INVALID]
        table.backend.send([w.YIELD, invocation[1], {}, ["first"]])
        assert other.receive() == [w.RESULT, 50, {}, ["first"]]


def test_who_cancels_and_leaves_is_forgotten(table: Table) -> None:
    """Crossbar would fail at the answer, log it, and keep the call for good."""
    before = len(table.node.log())
    with table.node.session("visitor", "visitor:v2") as other:
        other.send_many([[w.CALL, 50, {}, "table.read"], [w.CANCEL, 50, {"mode": "kill"}]])
        invocation = table.backend.receive()
        other.ask(w.CALL, "table.none")  # the router has read them all
    assert wait_until(lambda: "router session detached" in table.node.log()[before:], 10)
    table.backend.send([w.YIELD, invocation[1], {}, ["late"]])
    table.assert_well()

    assert "INTERNAL ERROR" not in table.node.log()[before:]


def test_whether_a_procedure_is_there_is_not_told(table: Table) -> None:
    """To those who may not provide it."""
    told = [table.visitor.ask(w.REGISTER, uri)[4] for uri in ("table.read", "table.write")]

    assert told == [UNAUTHORIZED] * 2


@pytest.mark.parametrize("kind", [w.SUBSCRIBE, w.CALL, w.REGISTER])
def test_uris_have_a_length(table: Table, kind: int) -> None:
    start = {w.SUBSCRIBE: "table.update.", w.CALL: "table.remote.{}.play", w.REGISTER: "table.remote.{}.play"}[kind]
    long = start.replace("{}", "x" * 250) if "{}" in start else start + "x" * MAX_LENGTH
    assert len(long) > MAX_LENGTH

    assert table.visitor.ask(kind, long)[4] == UNAUTHORIZED


def test_a_session_has_so_many_subscriptions(node: RouterNode) -> None:
    def subscribe(wire: Wire, numbers: range) -> list[Any]:
        first = next(wire.requests)
        wire.send_many([[w.SUBSCRIBE, first + n, {}, f"table.update.n{n}"] for n in numbers])
        return [wire.receive() for _ in numbers]

    with node.session("visitor", "visitor:many") as wire, node.session("visitor", "visitor:few") as other:
        granted = subscribe(wire, range(MAX_SUBSCRIPTIONS))
        assert {answer[0] for answer in granted} == {w.SUBSCRIBED}
        assert [answer[4] for answer in subscribe(wire, range(5000, 5010))] == [UNAUTHORIZED] * 10
        assert other.ask(w.SUBSCRIBE, "table.update.1")[0] == w.SUBSCRIBED

        wire.send([w.UNSUBSCRIBE, 9000, granted[0][2]])
        assert wire.receive()[0] == w.UNSUBSCRIBED
        assert [answer[0] for answer in subscribe(wire, range(7000, 7001))] == [w.SUBSCRIBED]


def test_messages_come_one_at_a_time(node: RouterNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batched form of WAMP's JSON is not spoken."""
    monkeypatch.setattr(w, "SUBPROTOCOL", "wamp.2.json.batched")

    with pytest.raises(WireError, match="400"):
        Wire(node.ws_url)


def test_one_line_for_each_session_is_logged(node: RouterNode) -> None:
    before = len(node.log())
    with node.session("visitor", "visitor:noisy") as wire:
        for request in (1, 2, 3):
            wire.send_raw(b'[48,%d,{},"table.read",[NaN]]' % request)
            wire.receive()
        session = wire.session

    line = f"refused a message of session {session}"
    assert node.has_logged(line)
    said = node.log()[before:]
    assert said.count(line) == 1
    assert "NaN is not JSON" in said
    assert "Traceback" not in said
