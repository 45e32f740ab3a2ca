"""Writing at the end of a turn: in order, to those who read; the rest is Twisted's. Real sockets, no reactor."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Server
from twisted.python.failure import Failure

from wampflask.plugin import writing
from wampflask.plugin.backlog import Backlog, Reader
from wampflask.plugin.heap import Heap
from wampflask.plugin.writing import Turn


class Loop:
    """What a connection asks of a reactor. ``asked``: how often a connection was to be watched for writing."""

    def __init__(self) -> None:
        self.asked = 0
        self.writers: set[Any] = set()

    def addReader(self, reader: Any) -> None: ...  # noqa: N802 - Twisted's

    def removeReader(self, reader: Any) -> None: ...  # noqa: N802 - Twisted's

    def addWriter(self, writer: Any) -> None:  # noqa: N802 - Twisted's
        self.asked += 1
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:  # noqa: N802 - Twisted's
        self.writers.discard(writer)

    def callLater(self, _delay: float, function: Callable[..., None], *args: Any) -> None:  # noqa: N802 - Twisted's
        function(*args)

    def go_on(self) -> list[Any]:
        """Let those write that wanted to; what they returned."""
        return [writer.doWrite() for writer in tuple(self.writers)]


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Turn]:
    """Its end is ``end(turn)``, and is planned once."""
    planned: list[Any] = []
    monkeypatch.setattr(writing, "call_later", lambda delay, call: planned.append((delay, call)))
    made: Any = Turn()
    made.planned = planned
    yield made
    assert not planned, "a turn has no end"


def end(turn: Any) -> None:
    ((delay, call),) = turn.planned
    turn.planned.clear()
    assert delay == 0
    call()


class Connection:
    """A server's end, and the client's."""

    def __init__(self) -> None:
        self.loop = Loop()
        own, self.client = socket.socketpair()
        own.setblocking(False)
        self.client.setblocking(False)
        port: Any = SimpleNamespace(_realPortNumber=1)
        protocol: Any = Protocol()
        loop: Any = self.loop
        self.server: Any = Server(own, protocol, ("client", 1), port, 1, loop)

    def received(self) -> bytes:
        """What the client finds."""
        found = b""
        try:
            while data := self.client.recv(2**20):
                found += data
        except BlockingIOError:
            pass
        return found


@pytest.fixture
def connections() -> Iterator[list[Connection]]:
    made = [Connection() for _ in range(3)]
    yield made
    for one in made:
        one.client.close()
        if one.server.connected:
            one.server.socket.close()


def test_all_is_written_in_order_and_nobody_is_watched(turn: Turn, connections: list[Connection]) -> None:
    for number in range(3):
        for one in connections:
            turn.write(one.server, b"event %d;" % number)
    assert [one.received() for one in connections] == [b""] * 3

    end(turn)

    assert [one.received() for one in connections] == [b"event 0;event 1;event 2;"] * 3
    assert [one.loop.asked for one in connections] == [0] * 3


def test_it_keeps_the_order_with_what_twisted_writes(turn: Turn, connections: list[Connection]) -> None:
    one = connections[0]
    turn.write(one.server, b"first;")
    one.server.write(b"second;")
    turn.write(one.server, b"third;")
    end(turn)
    assert one.received() == b"first;second;third;"
    assert not one.loop.writers

    one.server.write(b"fourth;")
    turn.write(one.server, b"fifth;")
    assert not turn.planned  # type: ignore[attr-defined]
    assert one.loop.go_on() == [None]
    assert one.received() == b"fourth;fifth;"


def test_what_the_system_does_not_take_is_twisteds(turn: Turn, connections: list[Connection]) -> None:
    one, other = connections[:2]
    large = b"x" * 5_000_000
    for event in (large, b"and more"):
        turn.write(one.server, event)
        turn.write(other.server, b"event")
    end(turn)
    turn.write(one.server, b", and last")
    assert other.received() == b"eventevent"
    assert one.loop.writers == {one.server}

    found = one.received()
    while one.loop.writers:
        assert one.loop.go_on() == [None]
        found += one.received()

    assert found == large + b"and more, and last"


def test_who_is_lost_or_closed_meanwhile_stops_nobody(turn: Turn, connections: list[Connection]) -> None:
    lost, closing, reading = connections
    for one in connections:
        turn.write(one.server, b"event")
    lost.server.connectionLost(Failure(ConnectionDone()))
    closing.server.loseConnection()
    turn.write(lost.server, b"too late")
    turn.write(reading.server, b", and more")

    end(turn)

    assert reading.received() == b"event, and more"
    assert closing.loop.go_on()[0] is not None, "it is closed after it was sent everything"
    assert closing.received() == b"event"
    assert lost.received() == b""


def test_a_client_that_has_gone_is_left_to_twisted(turn: Turn, connections: list[Connection]) -> None:
    gone, reading = connections[:2]
    for one in (gone, reading):
        turn.write(one.server, b"event")
    gone.client.close()

    end(turn)

    assert reading.received() == b"event"
    assert gone.loop.go_on()[0] is not None, "Twisted learns of it"


def test_the_backlog_counts_it(turn: Turn, connections: list[Connection]) -> None:
    """A reader that does not read is closed by the same bound, in the turn in which it is too far behind."""
    deaf = connections[0]
    backlog = Backlog(reader=300_000, backend=0, total=10**9, heap=Heap(None))
    session: Any = SimpleNamespace(_session_id=1, _authrole="visitor")
    deaf.server.registerProducer(SimpleNamespace(), True)
    Reader(backlog, session, SimpleNamespace(transport=deaf.server))
    for _ in range(3):
        turn.write(deaf.server, bytes(100_000))
    assert deaf.server.connected

    turn.write(deaf.server, bytes(100_000))

    assert not deaf.server.connected
    end(turn)


def test_without_twisteds_parts_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert writing.problem() is None
    monkeypatch.setattr(FileDescriptor, "doWrite", lambda _self: None)
    assert "doWrite works otherwise" in str(writing.problem())
