"""Readers that do not read: closed in time, the router's memory free again, everybody else served."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from twisted.internet.abstract import FileDescriptor

from wampflask.permissions import PAGES, Permission
from wampflask.plugin.backlog import Backlog, Reader
from wampflask.plugin.heap import TRIM_AFTER, Heap
from wampflask.router import wire as w
from wampflask.router.wire import Wire, wait_until
from wampflask.testing import RouterNode

TOPIC = "demo.bam"
LARGE = "x" * 60_000


@pytest.fixture(scope="module")
def router() -> Iterator[RouterNode]:
    """Visitors may publish little, leave 2 MiB unread, and workers 16 MiB."""
    with RouterNode(
        [Permission(TOPIC, publish=PAGES, subscribe=PAGES)],
        rate=0,
        byte_rate=1000.0,
        byte_burst=200_000.0,
        max_unread=2**21,
        max_backend_unread=2**24,
    ) as node:
        yield node


def memory(node: RouterNode) -> int:
    """Resident bytes of the router's worker process."""
    assert node.pid is not None
    return max(int(process.memory_info().rss) for process in psutil.Process(node.pid).children(recursive=True))


def subscribed(session: Wire) -> Wire:
    session.ask(w.SUBSCRIBE, TOPIC)
    return session


def closed(wire: Wire) -> bool:
    """Whether the router has closed a connection, without reading from it."""
    poll = select.poll()
    poll.register(wire._socket, select.POLLRDHUP)
    return bool(poll.poll(0))


def publish(session: Wire, times: int) -> None:
    """Each acknowledged, so that the router has written it to all subscribers."""
    for _ in range(times):
        answer = session.ask(w.PUBLISH, TOPIC, [LARGE], options={"acknowledge": True})
        assert answer[0] == w.PUBLISHED, answer


def answered(wire: Wire) -> bool:
    return bool(wire.ask(w.CALL, "demo.nothing", [])[4] == "wamp.error.not_authorized")


def test_memory_is_free_again_after_readers_that_never_read(router: RouterNode) -> None:
    """Without the bound, twenty of them hold 200 MB or more here, for good."""
    with contextlib.ExitStack() as stack:
        honest = stack.enter_context(router.session("visitor", "visitor:honest"))
        publisher = stack.enter_context(router.backend())
        publish(publisher, 1)
        before = memory(router)
        deaf = [stack.enter_context(subscribed(router.session("visitor", f"visitor:{n}"))) for n in range(20)]

        for _ in range(30):
            publish(publisher, 10)
            assert answered(honest)

        assert wait_until(lambda: all(map(closed, deaf)), 60), sum(map(closed, deaf))
        assert wait_until(lambda: memory(router) < before * 1.2, 60, interval=0.5), (before, memory(router))
        assert answered(honest)
    assert router.has_logged("(visitor) does not read: closed with")


def test_a_worker_may_be_further_behind_than_a_visitor_but_not_without_end(router: RouterNode) -> None:
    with router.backend() as publisher, subscribed(router.backend()) as worker:
        publish(publisher, 2**23 // len(LARGE))
        assert not closed(worker)

        publish(publisher, 2**24 // len(LARGE))

        assert wait_until(lambda: closed(worker), 30)
    assert router.has_logged("(backend) does not read: closed with")


def test_who_reads_gets_everything(router: RouterNode) -> None:
    """Also a page that has fallen behind for a moment."""
    with router.backend() as publisher, subscribed(router.session("visitor", "visitor:late")) as late:
        publish(publisher, 30)
        for _ in range(30):
            assert late.receive()[4] == [LARGE]
        publish(publisher, 1)
        assert late.receive()[4] == [LARGE]


def test_bytes_count_for_the_rate_limit(router: RouterNode) -> None:
    """Visitors' alone: workers publish as much as they like."""
    with router.session("visitor", "visitor:loud") as loud, router.session("visitor", "visitor:quiet") as quiet:
        kinds = [
            loud.ask(w.PUBLISH, TOPIC, [LARGE], options={"acknowledge": True})[0] for _ in range(200_000 // 60_000 + 3)
        ]

        assert kinds[:3] == [w.PUBLISHED] * 3
        assert kinds[-1] == w.ERROR
        assert quiet.ask(w.PUBLISH, TOPIC, ["x"], options={"acknowledge": True})[0] == w.PUBLISHED
    assert router.has_logged("acts too fast")
    assert router.log().count("acts too fast") == 1


# without a router


class Socket(FileDescriptor):
    """Twisted's own buffers on no network; what is written stays unsent."""

    connected = 1
    aborted = False

    def __init__(self) -> None:
        idle = SimpleNamespace(addWriter=lambda _: None, removeWriter=lambda _: None, removeReader=lambda _: None)
        super().__init__(reactor=idle)  # type: ignore[arg-type]

    def writeSomeData(self, data: bytes) -> int:  # noqa: N802 - Twisted's
        return len(data)

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's
        self.aborted = True


class Freed(Heap):
    """Counts."""

    def __init__(self) -> None:
        super().__init__(None)
        self.sizes: list[int] = []

    def freed(self, size: int) -> None:
        self.sizes.append(size)


def opened(backlog: Backlog, role: str = "visitor") -> tuple[Socket, Reader]:
    socket = Socket()
    session: Any = SimpleNamespace(_session_id=1, _authrole=role)
    return socket, Reader(backlog, session, SimpleNamespace(transport=socket))


def test_beyond_the_total_the_one_furthest_behind_is_closed() -> None:
    """Though each is within its own bound; workers do not count, and are not closed for others."""
    backlog = Backlog(reader=300_000, backend=10**7, total=500_000, heap=Freed())
    (worker, _), (first, _), (second, _), (third, _) = (
        opened(backlog, role) for role in ("backend", "visitor", "visitor", "visitor")
    )
    worker.write(bytes(10**6))
    first.write(bytes(150_000))
    second.write(bytes(250_000))
    assert not any(socket.aborted for socket in (worker, first, second))

    third.write(bytes(200_000))

    assert [socket.aborted for socket in (worker, first, second, third)] == [False, False, True, False]
    first.write(bytes(100_000))
    third.write(bytes(50_000))
    assert not first.aborted, "what was closed counts no more"


def test_who_catches_up_starts_anew() -> None:
    heap = Freed()
    backlog = Backlog(reader=300_000, backend=0, total=350_000, heap=heap)
    (first, _), (second, _) = opened(backlog), opened(backlog)
    for _ in range(3):
        for socket in (first, second):
            socket.write(bytes(250_000))
            while socket.dataBuffer or socket._tempDataLen:
                socket.doWrite()  # type: ignore[no-untyped-call]  # of Twisted

    assert not first.aborted
    assert not second.aborted
    assert heap.sizes == [250_000] * 6


def test_a_lost_connection_holds_nothing() -> None:
    backlog = Backlog(reader=10**6, backend=0, total=10**6, heap=Freed())
    socket, reader = opened(backlog)
    socket.write(bytes(500_000))

    reader.release()

    assert (socket.dataBuffer, socket._tempDataBuffer, socket._tempDataLen) == (b"", [], 0)


def test_memory_is_trimmed_once_enough_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """And once for a crowd."""
    planned: list[Any] = []
    trims: list[int] = []
    monkeypatch.setattr("wampflask.plugin.heap.call_later", lambda _delay, call: planned.append(call))
    heap = Heap(trims.append)

    heap.freed(TRIM_AFTER - 1)
    assert not planned
    for _ in range(3):
        heap.freed(TRIM_AFTER)
    assert len(planned) == 1
    planned.pop()()
    assert trims == [0]
    heap.freed(TRIM_AFTER)
    assert len(planned) == 1
