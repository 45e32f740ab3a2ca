"""Frames that are made once for all: the same bytes and the same counts as autobahn's own, and only where it may be."""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any

import pytest
from autobahn.twisted.websocket import WampWebSocketServerFactory, WampWebSocketServerProtocol
from autobahn.wamp.exception import TransportLost
from autobahn.wamp.message import Event, Published
from autobahn.wamp.serializer import JsonSerializer
from autobahn.websocket.compress import PerMessageDeflateOfferAccept
from autobahn.websocket.protocol import Timings, WebSocketProtocol
from twisted.internet.testing import StringTransport

from wampflask.plugin import framing, writing
from wampflask.router import wire as w
from wampflask.testing import RouterNode

HANDSHAKE = "\r\n".join(  # noqa: FLY002 - one header a line
    (
        "GET / HTTP/1.1",
        "Host: localhost:9000",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: wamp.2.json",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "",
        "",
    )
)


class Session:
    """As far as a transport uses one."""

    _authid = "visitor:1"
    _session_id = 1

    def onOpen(self, transport: Any) -> None: ...  # noqa: N802 - autobahn's

    def onClose(self, was_clean: bool) -> None: ...  # noqa: N802 - autobahn's


class Listeners:
    """Connections to a server that was tuned, or not.

    ``framed``: how often autobahn made a frame.
    """

    def __init__(self, *, tuned: bool, count: int = 3, **options: Any) -> None:
        self.framed = 0

        class Protocol(WampWebSocketServerProtocol):
            def sendFrame(inner, *args: Any, **named: Any) -> None:  # noqa: N802, N805 - autobahn's; self is outside
                self.framed += 1
                super().sendFrame(*args, **named)

        if tuned:
            protocols: Any = ModuleType(framing.PROTOCOLS)
            protocols.WampWebSocketServerProtocol = Protocol
            assert framing.apply(protocols, writing.directly) is None
        factory: Any = WampWebSocketServerFactory(
            Session, "ws://localhost:9000", serializers=[JsonSerializer()], reactor=object()
        )
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0, **options)
        factory.protocol = Protocol
        self.all: list[Any] = [factory.buildProtocol(None) for _ in range(count)]
        for one in self.all:
            one.makeConnection(StringTransport())
            one.dataReceived(HANDSHAKE.encode())
            assert one.state == WebSocketProtocol.STATE_OPEN
            one.transport.clear()

    def send(self, *messages: Any) -> list[bytes]:
        """What each connection is sent then."""
        for message in messages:
            for one in self.all:
                one.send(message)
        return [one.transport.value() for one in self.all]

    def counts(self) -> list[Any]:
        """Autobahn's of each connection."""
        figures = [(one.trafficStats.__json__(), one._serializer.stats(reset=False, details=True)) for one in self.all]
        for _, stats in figures:
            del stats["timestamp"], stats["duration"]
        return figures


def event(size: int) -> Event:
    """One whose JSON has so many bytes."""
    shortest: Any = Event(7, 8, args=[""])
    return Event(7, 8, args=["x" * (size - len(JsonSerializer().serialize(shortest)[0]))])


@pytest.mark.parametrize("size", [100, 125, 126, 65535, 65536])
def test_the_bytes_and_counts_are_autobahns_own(size: int) -> None:
    tuned, plain = Listeners(tuned=True), Listeners(tuned=False)

    sent = tuned.send(event(size), event(size + 1))

    assert sent == plain.send(event(size), event(size + 1))
    assert tuned.counts() == plain.counts()
    assert (tuned.framed, plain.framed) == (2, 6)


def deflate(offers: Any) -> PerMessageDeflateOfferAccept:
    return PerMessageDeflateOfferAccept(offers[0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("autoFragmentSize", 50),
        ("maskServerFrames", True),
        ("perMessageCompressionAccept", lambda offers: PerMessageDeflateOfferAccept(offers[0])),
        ("logFrames", True),
        ("logOctets", True),
        ("trackedTimings", Timings()),
    ],
)
def test_what_is_more_than_one_frame_is_autobahns(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value} if name == "perMessageCompressionAccept" else {}
    tuned, plain = Listeners(tuned=True, **options), Listeners(tuned=False, **options)
    if not options:
        for one in (*tuned.all, *plain.all):
            setattr(one, name, value)

    random.seed(1)  # of the masks
    sent = tuned.send(event(200))
    random.seed(1)

    assert sent == plain.send(event(200))
    assert tuned.counts() == plain.counts()
    assert tuned.framed == plain.framed


def test_what_waits_in_a_queue_goes_first() -> None:
    listeners = Listeners(tuned=True, count=2)
    last = listeners.all[1]
    last.triggered = True  # somebody sends the queue already
    last.send_queue.append((b"first", False))

    listeners.send(event(100))

    assert last.transport.value() == b""
    assert [data for data, _ in last.send_queue] == [b"first", listeners.all[0].transport.value()]


def test_a_connection_that_ends_gets_no_more() -> None:
    listeners, published = Listeners(tuned=True), event(100)
    listeners.send(published)
    for one in listeners.all:
        one.transport.clear()
    listeners.all[0].state = WebSocketProtocol.STATE_CLOSING
    listeners.all[1]._session = None

    with pytest.raises(Exception, match="closed protocol"):
        listeners.all[0].send(published)
    with pytest.raises(TransportLost):
        listeners.all[1].send(published)
    assert [one.transport.value() for one in listeners.all] == [b""] * 3


def test_what_is_longer_than_allowed_is_refused_to_each() -> None:
    """``patches.send_any_length`` allows all, where it can."""
    listeners = Listeners(tuned=True, maxMessagePayloadSize=50)

    for one in listeners.all:
        with pytest.raises(Exception, match="exceeding payload limit"):
            one.send(event(100))
    assert listeners.send() == [b""] * 3


def test_other_messages_are_autobahns() -> None:
    listeners = Listeners(tuned=True)

    assert listeners.send(Published(1, 2)) == [b"\x81\x08[17,1,2]"] * 3
    assert listeners.framed == 3


def test_without_autobahns_parts_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A future Crossbar or autobahn that sends otherwise; nothing is changed."""
    protocols: Any = ModuleType(framing.PROTOCOLS)
    assert "send is not there" in str(framing.apply(protocols, writing.directly))
    protocols.WampWebSocketServerProtocol = WampWebSocketServerProtocol
    sent = WampWebSocketServerProtocol.send

    monkeypatch.setattr(WebSocketProtocol, "sendData", lambda _self, data: data)
    assert "sendData works otherwise" in str(framing.apply(protocols, writing.directly))
    monkeypatch.undo()
    monkeypatch.setattr("autobahn.wamp.message.Message.__slots__", ())
    assert "elsewhere" in str(framing.apply(protocols, writing.directly))
    assert WampWebSocketServerProtocol.send is sent


def test_each_role_gets_its_own_events_and_nobody_elses(node: RouterNode) -> None:
    """In the real router, where events of one topic are for some of its subscribers."""
    pages = [node.session(role, f"{role}:1") for role in ("visitor", "visitor", "admin", "admin")]
    try:
        for page in pages:
            assert page.ask(w.SUBSCRIBE, "table.update.one")[0] == w.SUBSCRIBED
        with node.backend() as worker:
            for number in range(20):
                for role in ("visitor", "admin"):
                    options = {"acknowledge": True, "eligible_authrole": [role]}
                    assert worker.ask(w.PUBLISH, "table.update.one", [role, number], options=options)[0] == w.PUBLISHED
            assert worker.ask(w.PUBLISH, "table.update.one", ["all"], options={"acknowledge": True})[0] == w.PUBLISHED
        for page, role in zip(pages, ("visitor", "visitor", "admin", "admin"), strict=True):
            heard = [page.receive() for _ in range(21)]
            assert [message[4] for message in heard] == [*([role, number] for number in range(20)), ["all"]]
            assert all(message[3] == {} for message in heard), "it says nothing of the publisher"
    finally:
        for page in pages:
            page.close()
