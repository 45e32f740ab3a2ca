"""What keeps one bad client from harming all others: origins, sizes, numbers, silence, rates, pings."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from wampflask.router import wire as w
from wampflask.router.wire import Wire, WireError, wait_until
from wampflask.testing import RouterNode

PAGE = "http://pages.example:8080"


@pytest.fixture
def page(strict_node: RouterNode) -> Iterator[Wire]:
    with Wire(strict_node.ws_url, origin=PAGE) as wire:
        yield wire.join(strict_node.realm, strict_node.tickets().mint("visitor", "visitor:v1"))


def ended(wire: Wire, timeout: float) -> bool:
    """Whether the router ends the connection within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        try:
            wire.receive(timeout=left)
        except WireError:
            return True
        except TimeoutError:
            return False
    return False


@pytest.mark.parametrize("origin", [PAGE, "https://www.polls.example", None])
def test_our_pages_connect(strict_node: RouterNode, origin: str | None) -> None:
    """And programs, which send no origin."""
    with Wire(strict_node.ws_url, origin=origin):
        pass


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://pages.example",
        "https://pages.example:8080",
        "http://pages.example:8080.evil.example",
        "https://polls.example.evil.example",
        "null",
        "file://",
    ],
)
def test_pages_of_others_do_not(strict_node: RouterNode, origin: str) -> None:
    with pytest.raises(WireError, match="not a WAMP WebSocket"):
        Wire(strict_node.ws_url, origin=origin)


def test_only_json_is_spoken(strict_node: RouterNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handshake for another serializer is refused."""
    monkeypatch.setattr(w, "SUBPROTOCOL", "wamp.2.cbor")

    with pytest.raises(WireError, match="400"):
        Wire(strict_node.ws_url, origin=PAGE)


@pytest.mark.parametrize("path", ["/", "/info", "/w"])
def test_there_is_nothing_else_to_see(strict_node: RouterNode, path: str) -> None:
    """No pages, no status, no version."""
    with pytest.raises(WireError, match="404"):
        Wire(f"ws://127.0.0.1:{strict_node.port}{path}", origin=PAGE)


def test_messages_have_a_size(strict_node: RouterNode, page: Wire) -> None:
    assert page.ask(w.CALL, "table.read", ["x" * 3000])[4] == "wamp.error.no_such_procedure"

    page.send([w.CALL, next(page.requests), {}, "table.read", ["x" * 5000]])

    assert ended(page, 5)


def test_what_a_page_is_sent_may_be_longer_than_what_it_sends(strict_node: RouterNode, page: Wire) -> None:
    """The bound is for what browsers send. What a worker answers or publishes is bounded where it comes in."""
    long = "x" * 500_000
    with strict_node.session("backend", "backend") as worker:
        assert worker.ask(w.REGISTER, "table.read")[0] == w.REGISTERED
        page.ask(w.SUBSCRIBE, "table.update.7")
        worker.ask(w.PUBLISH, "table.update.7", [long], options={"acknowledge": True})
        event = page.receive()
        assert (event[0], event[4]) == (w.EVENT, [long])
        page.send([w.CALL, next(page.requests), {}, "table.read"])
        worker.send([w.YIELD, worker.receive()[1], {}, [long]])
        result = page.receive()
        assert (result[0], result[3]) == (w.RESULT, [long])


def test_connections_have_a_number(strict_node: RouterNode) -> None:
    """The ones above it are closed at once; when others leave there is room again."""
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(Wire(strict_node.ws_url, origin=PAGE))
        with pytest.raises((OSError, WireError)):
            Wire(strict_node.ws_url, origin=PAGE)

    def room() -> bool:
        try:
            Wire(strict_node.ws_url, origin=PAGE).close()
        except (OSError, WireError):
            return False
        return True

    assert wait_until(room, 5)


def test_who_does_not_log_in_is_sent_away(strict_node: RouterNode, page: Wire) -> None:
    """Connections without a session end after the join timeout, wherever they stopped; sessions stay."""
    with Wire(strict_node.ws_url, origin=PAGE) as silent, Wire(strict_node.ws_url, origin=PAGE) as halfway:
        halfway.send([w.HELLO, strict_node.realm, {"roles": {"caller": {}}, "authmethods": ["ticket"]}])
        assert halfway.receive()[0] == w.CHALLENGE
        assert ended(silent, 5)
        assert ended(halfway, 5)
    with Wire(strict_node.url) as worker:
        assert ended(worker, 5)

    assert page.ask(w.CALL, "table.read", [])[4] == "wamp.error.no_such_procedure"


def test_sessions_have_a_rate_limit(strict_node: RouterNode, page: Wire) -> None:
    """After the first burst what comes too fast is denied, and after a pause allowed again; others are not held up."""

    def allowed(wire: Wire) -> bool:
        return bool(wire.ask(w.CALL, "table.read", [])[4] == "wamp.error.no_such_procedure")

    verdicts = [allowed(page) for _ in range(40)]

    assert verdicts[:20] == [True] * 20
    assert verdicts.count(False) >= 10
    with strict_node.session("visitor", "visitor:v3") as other:
        assert allowed(other)
    assert wait_until(lambda: allowed(page), 5, interval=0.3)
    assert strict_node.has_logged("acts too fast")
    assert strict_node.log().count("acts too fast") == 1


def test_who_never_reads_is_sent_away() -> None:
    """A page that sends without reading does not answer pings, and its own messages do not count as an answer."""
    with RouterNode(ping_interval=1, ping_timeout=1, rate=0) as node, Wire(node.ws_url) as deaf:
        deaf.join(node.realm, node.tickets().mint("visitor", "visitor:v1"))

        def gone() -> bool:
            with contextlib.suppress(WireError):
                deaf.send([w.CALL, next(deaf.requests), {}, "any.thing"])
                return False
            return True

        assert wait_until(gone, 10, interval=0.1)
