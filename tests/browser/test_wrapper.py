"""static/js/wamp/ in a real browser against a real router, with the least of a site around it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.bare_site import Backend, BareSite, serving
from tests.browser.browsing import ROUTER_GONE, Troubles, page_in
from wampflask.permissions import PAGES, Permission
from wampflask.router.wire import SUBSCRIBE
from wampflask.testing import RouterNode

TOPIC = "demo.counter.7"
PERMISSIONS = (
    Permission("demo.counter.<id>", subscribe=PAGES),
    Permission("demo.snapshot", call=PAGES),
    Permission("demo.slow", call=PAGES),
    Permission("demo.said", publish=PAGES, subscribe=PAGES),
)
FOLLOW = """async (topic) => {
    const { connection, live } = await import("/static/js/wamp/index.js");
    window.connection = connection;
    window.shown = [];
    window.stop = live(topic, {
        snapshot: (session) => session.call("demo.snapshot"),
        apply: (state) => window.shown.push([state.version, state.votes]),
    });
}"""


class Counter:
    """The truth on the server: a version and a number of votes."""

    def __init__(self) -> None:
        self.version = 1
        self.votes = 0
        self.snapshots = 0
        self.broken = 0
        self.held: dict[str, Any] | None = None

    def state(self) -> dict[str, Any]:
        return {"version": self.version, "votes": self.votes}

    def vote(self) -> dict[str, Any]:
        self.version += 1
        self.votes += 1
        return self.state()

    def snapshot(self) -> dict[str, Any]:
        self.snapshots += 1
        if self.broken:
            self.broken -= 1
            raise LookupError("not now")
        if self.held is not None:
            time.sleep(0.3)
            return self.held
        return self.state()


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(PERMISSIONS) as running:
        yield running


@pytest.fixture
def site(node: RouterNode) -> Iterator[BareSite]:
    with serving(node) as running:
        yield running


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def backend(node: RouterNode, counter: Counter) -> Iterator[Backend]:
    with closing(backend_of(node, counter)) as running:
        yield running


def backend_of(node: RouterNode, counter: Counter) -> Backend:
    return Backend(node, {"demo.snapshot": counter.snapshot, "demo.slow": lambda: time.sleep(1.5)})


@pytest.fixture
def page(context: BrowserContext, site: BareSite, troubles: Troubles) -> Page:
    opened = page_in(context, troubles)
    opened.goto(site.url)
    return opened


def shows(page: Page, version: int, votes: int) -> None:
    """Wait until the last state applied is this one."""
    page.wait_for_function(
        "([v, n]) => { const [a, b] = window.shown.at(-1) ?? []; return a === v && b === n }", arg=[version, votes]
    )


def follow(page: Page) -> None:
    page.evaluate(FOLLOW, TOPIC)
    page.wait_for_function("window.shown.length > 0")


def test_a_page_without_live_parts_opens_no_socket(page: Page, site: BareSite) -> None:
    page.wait_for_function("document.documentElement.dataset.connection === 'idle'")
    assert site.tickets == 0


def test_snapshot_then_events(page: Page, backend: Backend, counter: Counter) -> None:
    counter.vote()
    follow(page)
    shows(page, 2, 1)
    backend.publish(TOPIC, counter.vote())
    shows(page, 3, 2)
    assert counter.snapshots == 1


def test_an_older_event_never_overwrites(page: Page, backend: Backend, counter: Counter) -> None:
    old = counter.vote()
    counter.vote()
    follow(page)
    shows(page, 3, 2)
    backend.publish(TOPIC, old)
    backend.publish(TOPIC, counter.vote())
    shows(page, 4, 3)
    assert page.evaluate("window.shown") == [[3, 2], [4, 3]]


def test_without_a_version_the_order_of_arrival_decides(
    page: Page, backend: Backend, counter: Counter, troubles: Troubles
) -> None:
    troubles.expect("a state has no version")
    counter.held = {"votes": 1}
    follow(page)
    for votes in (2, 3, 2):
        backend.publish(TOPIC, {"votes": votes})
    page.wait_for_function("window.shown.length === 4")
    assert page.evaluate("window.shown.map(([version, votes]) => votes)") == [1, 2, 3, 2]
    assert len([text for text in troubles.found if "a state has no version" in text]) == 1


def test_events_during_the_snapshot_are_applied_after_it(page: Page, backend: Backend, counter: Counter) -> None:
    counter.held = counter.state()
    page.evaluate(FOLLOW, TOPIC)
    deadline = time.monotonic() + 10
    while not counter.snapshots and time.monotonic() < deadline:
        time.sleep(0.01)
    backend.publish(TOPIC, counter.vote())
    shows(page, 2, 1)
    assert page.evaluate("window.shown") == [[1, 0], [2, 1]]


@pytest.mark.usefixtures("backend")
def test_a_snapshot_that_fails_is_asked_for_again(page: Page, counter: Counter) -> None:
    counter.broken = 2
    follow(page)
    shows(page, 1, 0)
    assert counter.snapshots == 3


def test_the_router_is_killed_and_comes_back(
    page: Page, node: RouterNode, counter: Counter, site: BareSite, troubles: Troubles
) -> None:
    troubles.expect(*ROUTER_GONE)
    bar = page.locator(".connection")
    with closing(backend_of(node, counter)):
        follow(page)
        node.kill9()
        page.get_by_text("Connection lost").wait_for()
    counter.vote()
    node.start()
    with closing(backend_of(node, counter)) as backend:
        shows(page, 2, 1)
        page.get_by_text("Back online").wait_for()
        backend.publish(TOPIC, counter.vote())
        shows(page, 3, 2)
    assert site.tickets >= 2, "each connect has a ticket of its own"
    page.wait_for_function("document.querySelector('.connection').textContent === ''")
    assert bar.get_attribute("data-state") == ""


def test_a_first_connect_that_fails_is_tried_again(
    page: Page, node: RouterNode, counter: Counter, troubles: Troubles
) -> None:
    troubles.expect(*ROUTER_GONE)
    node.kill9()
    page.evaluate(FOLLOW, TOPIC)
    page.get_by_text("Connection lost").wait_for()
    node.start()
    with closing(backend_of(node, counter)):
        shows(page, 1, 0)


@pytest.mark.usefixtures("backend")
def test_a_refused_ticket_is_no_end(page: Page, counter: Counter, site: BareSite) -> None:
    """ABORT: the router says no, the next ticket may be better."""
    site.spoil = 2
    follow(page)
    shows(page, 1, 0)
    assert site.tickets == 3
    assert counter.snapshots == 1


def test_a_goodbye_is_no_end(page: Page, backend: Backend, counter: Counter, site: BareSite) -> None:
    follow(page)
    shows(page, 1, 0)
    backend.call("wamp.session.kill_by_authid", "visitor:1", reason="wampflask.close.revoked")
    counter.vote()
    shows(page, 2, 1)
    assert site.tickets == 2


@pytest.mark.usefixtures("backend")
def test_a_router_that_falls_silent_is_noticed(page: Page, node: RouterNode, troubles: Troubles) -> None:
    """A half-open socket: nothing closes, nothing answers."""
    troubles.expect(*ROUTER_GONE)
    follow(page)
    group = os.getpgid(node.pid or 0)
    os.killpg(group, signal.SIGSTOP)
    try:
        page.evaluate("window.connection.session.probe(500)")
        page.wait_for_function("window.connection.session === null")
    finally:
        os.killpg(group, signal.SIGCONT)
    page.wait_for_function("window.connection.state === 'ready'", timeout=20_000)


@pytest.mark.usefixtures("backend")
def test_a_page_that_wakes_up_asks_at_once(page: Page) -> None:
    """Whatever else it says, the router's answer shows that the socket lives."""
    follow(page)
    before = page.evaluate("window.connection.session.heard")
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_function("(before) => window.connection.session.heard > before", arg=before)
    assert page.evaluate("window.connection.state") == "ready"


@pytest.mark.usefixtures("backend")
def test_waking_up_cuts_the_wait_short(page: Page) -> None:
    """A wait of a minute ends when the network is back."""
    state = page.evaluate("""async () => {
        const { Connection } = await import("/static/js/wamp/connection.js");
        const { Session } = await import("/static/js/wamp/session.js");
        const { fetchTicket } = await import("/static/js/wamp/ticket.js");
        let tries = 0;
        const connection = new Connection({
            ticket: (signal) => (++tries === 1 ? Promise.reject(new Error("no network")) : fetchTicket(signal)),
            open: (where, ticket) => new Session(where, ticket),
            backoff: { base: 120_000, cap: 120_000, random: () => 0.5 },
        });
        const until = (state) => new Promise((resolve) => {
            connection.addEventListener("change", () => connection.state === state && resolve());
        });
        const lost = until("lost"), ready = until("ready");
        connection.start();
        await lost;
        connection.wake();
        await ready;
        const state = [connection.state, tries];
        connection.stop();
        return [...state, connection.state];
    }""")
    assert state == ["ready", 2, "idle"]


@pytest.mark.usefixtures("backend")
def test_a_call_has_its_timeout_in_milliseconds(page: Page) -> None:
    follow(page)
    name, took = page.evaluate("""async () => {
        const start = performance.now();
        const error = await window.connection.call("demo.slow", [], { timeout: 200 }).catch((error) => error);
        return [error.name, performance.now() - start];
    }""")
    assert name == "TimedOut"
    assert 150 < took < 1000


def test_a_pending_call_fails_when_the_session_ends(page: Page, backend: Backend) -> None:
    follow(page)
    page.evaluate("""() => {
        window.answer = window.connection.call("demo.slow").then(() => "answered", (error) => error.name);
    }""")
    backend.call("wamp.session.kill_by_authid", "visitor:1", reason="wampflask.close.revoked")
    assert page.evaluate("window.answer") == "ConnectionLost"
    page.wait_for_function("window.connection.session")


def test_without_a_session_a_call_fails_at_once(page: Page) -> None:
    name = page.evaluate("""async () => {
        const { connection } = await import("/static/js/wamp/index.js");
        return connection.call("demo.snapshot").catch((error) => error.name);
    }""")
    assert name == "ConnectionLost"


def test_a_call_waits_a_little_for_its_callee(page: Page, node: RouterNode, counter: Counter) -> None:
    """After a restart of the router the page is back before the site's workers have registered."""
    page.evaluate("""async () => {
        const { connection } = await import("/static/js/wamp/index.js");
        window.connection = connection;
        connection.start();
    }""")
    page.wait_for_function("window.connection.session")
    missing = "wamp.error.no_such_procedure"
    ask = "(options) => window.connection.call('demo.snapshot', [], options).catch((error) => error.errorUri)"
    assert page.evaluate(ask, {"patience": 0}) == missing
    assert page.evaluate(ask, {"patience": 500}) == missing
    page.evaluate(f"() => {{ window.answer = ({ask})({{ patience: 20_000 }}); }}")
    with closing(backend_of(node, counter)):
        assert page.evaluate("window.answer") == counter.state()


def test_one_topic_subscribed_twice_at_once(page: Page, backend: Backend, counter: Counter) -> None:
    """Both hear each event, and one may stop, and begin again, without the other losing any."""
    follow(page)
    page.evaluate("""async () => {
        const session = window.connection.session;
        window.heard = { a: [], b: [] };
        window.a = (state) => window.heard.a.push(state.version);
        window.b = (state) => window.heard.b.push(state.version);
        await Promise.all([window.a, window.b].map((handler) => session.subscribe("demo.counter.9", handler)));
    }""")
    backend.publish("demo.counter.9", {"version": 1})
    page.wait_for_function("window.heard.a.length === 1 && window.heard.b.length === 1")
    page.evaluate("""async () => {
        const session = window.connection.session;
        await Promise.all([
            session.unsubscribe("demo.counter.9", window.a), session.unsubscribe("demo.counter.9", window.b),
            session.subscribe("demo.counter.9", window.b),
        ]);
    }""")
    backend.publish("demo.counter.9", {"version": 2})
    page.wait_for_function("window.heard.b.length === 2")
    assert page.evaluate("window.heard.a") == [1]
    assert counter.snapshots == 1


@pytest.mark.usefixtures("backend")
def test_a_refused_subscription_is_told(page: Page) -> None:
    follow(page)
    uri = page.evaluate("window.connection.session.subscribe('demo.secret', () => {}).catch((error) => error.errorUri)")
    assert "not_authorized" in uri


@pytest.mark.usefixtures("backend")
def test_what_cannot_be_live_is_told_to_the_reader(page: Page) -> None:
    page.evaluate("""async () => {
        const { live } = await import("/static/js/wamp/index.js");
        live("demo.secret", { snapshot: async () => ({ version: 1 }), apply() {} });
    }""")
    page.get_by_text("Live updates stopped. Reload the page.").wait_for()


def test_stop_ends_what_it_began(page: Page, backend: Backend, counter: Counter) -> None:
    follow(page)
    page.evaluate("window.stop()")
    page.evaluate("window.connection.session.subscribe('demo.counter.8', () => { window.later = true; })")
    backend.publish(TOPIC, counter.vote())
    backend.publish("demo.counter.8", {})
    page.wait_for_function("window.later")
    assert page.evaluate("window.shown") == [[1, 0]]


@pytest.mark.usefixtures("backend")
def test_publish(page: Page, node: RouterNode) -> None:
    """What is falsy is a payload too."""
    follow(page)
    with closing(node.backend()) as listener:
        listener.ask(SUBSCRIBE, "demo.said")
        page.evaluate("window.connection.session.publish('demo.said', [0])")
        assert listener.receive()[4] == [0]
