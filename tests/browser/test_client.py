"""The library's browser client, bundled, in a real browser against a real router, in a page without inline scripts."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.backend import Backend
from tests.browser.browsing import ROUTER_GONE, Troubles, page_in
from tests.browser.client_site import ClientSite, serving
from wampflask import WAMP
from wampflask.permissions import PAGES, Permission
from wampflask.testing import RouterNode

PERMISSIONS = (
    Permission("shop.stock", call=PAGES, subscribe=PAGES),
    Permission("shop.busy", call=PAGES),
    Permission("demo.said", publish=PAGES, subscribe=PAGES),
    Permission("page.count", call=PAGES, register=PAGES),
    Permission("page.ask.{session}", register=PAGES),
    Permission.of_library("wampflask.fragments.card.<!key>", subscribe=PAGES),
    Permission.of_library("wampflask.live.fetch", call=PAGES),
    Permission.of_library("wampflask.live.worker_lost", subscribe=PAGES),
)
KEY = "0f0f"
FORM = """<form action="/save" method="post"><b>{} left</b>
<input name="csrf_token" value=""><input name="note"><button>Save</button></form>"""
CARD = f"""<live-fragment name="card" args='{{"item":3}}' key="{KEY}" have="d0">{FORM.format(10)}</live-fragment>"""


class Shop:
    """The server's half: a state with a number, and a fragment."""

    def __init__(self) -> None:
        self.number = 100
        self.left: Any = 10
        self.answer: Any = None
        self.asked: list[Any] = []

    def stock(self) -> tuple[Any, int]:
        self.number += 1
        return {"left": self.left}, self.number

    def fetch(self, entries: list[Any]) -> list[Any]:
        self.asked.append(entries)
        self.number += 1
        return [self.answer if isinstance(self.answer, int) else [self.answer, self.number] for _ in entries]

    def next(self) -> int:
        self.number += 1
        return self.number


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(PERMISSIONS) as running:
        yield running


@pytest.fixture
def site(node: RouterNode) -> Iterator[ClientSite]:
    with serving(node) as running:
        yield running


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def backend(node: RouterNode, shop: Shop) -> Iterator[Backend]:
    with closing(backend_of(node, shop)) as running:
        yield running


def backend_of(node: RouterNode, shop: Shop) -> Backend:
    procedures: dict[str, Callable[..., Any]] = {
        "shop.stock": shop.stock,
        "shop.busy": lambda: time.sleep(1.5),
        "wampflask.live.fetch": shop.fetch,
    }
    return Backend(node, procedures)


@pytest.fixture
def open_page(context: BrowserContext, site: ClientSite, troubles: Troubles) -> Callable[..., Page]:
    def opened(content: str = "") -> Page:
        site.content = content
        page = page_in(context, troubles)
        page.goto(site.url)
        page.evaluate("async () => { window.wamp = await import('wampflask'); window.shown = []; }")
        return page

    return opened


LIVE = "() => { window.thing = wamp.live('shop.stock', (state) => shown.push(state.left)); }"


def shows(page: Page, left: int) -> None:
    page.wait_for_function("(left) => shown.at(-1) === left", arg=left)


def is_open(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-connection", "open", timeout=20_000)


def test_a_page_that_uses_nothing_opens_no_socket(open_page: Callable[..., Page], site: ClientSite) -> None:
    expect(open_page().locator("html")).to_have_attribute("data-connection", "stopped")
    assert site.tickets == 0


def test_a_value_through_an_outage(
    open_page: Callable[..., Page], node: RouterNode, shop: Shop, troubles: Troubles
) -> None:
    troubles.expect(*ROUTER_GONE)
    page = open_page()
    status = page.locator("wamp-status")
    with closing(backend_of(node, shop)) as backend:
        page.evaluate(LIVE)
        shows(page, 10)
        backend.publish("shop.stock", {"left": 9}, shop.next())
        backend.publish("shop.stock", {"left": 99}, 1)
        backend.publish("shop.stock", {"left": 8}, shop.next())
        shows(page, 8)
        assert page.evaluate("shown") == [10, 9, 8]
        node.kill9()
        expect(status).to_have_text("Connection lost. Trying to reconnect…")
    shop.left = 3
    shop.number = 0  # a restarted router may count from anywhere
    node.start()
    with closing(backend_of(node, shop)) as backend:
        shows(page, 3)
        expect(status).to_have_text("Back online.")
        backend.publish("shop.stock", {"left": 2}, shop.next())
        shows(page, 2)
    expect(status).to_have_text("")


def test_a_procedure_of_a_page_sends_progress_and_is_cancelled(open_page: Callable[..., Page]) -> None:
    callee, caller = open_page(), open_page()
    callee.evaluate("""async () => {
        window.ended = new Promise((resolve) => {
            window.end = wamp.register("page.count", (args, { progress, signal }) => new Promise((done) => {
                if (args[0] === "all") { progress(1); progress(2); done("done"); }
                else { progress("begun"); signal.addEventListener("abort", () => resolve(signal.reason.uri)); }
            }));
        });
        await end.ready;
    }""")
    parts = caller.evaluate("""async () => {
        const parts = [];
        parts.push(await wamp.call("page.count", ["all"], { onProgress: (part) => parts.push(part) }));
        return parts;
    }""")
    assert parts == [1, 2, "done"]
    name = caller.evaluate("""() => {
        const control = new AbortController();
        return wamp.call("page.count", ["some"], { signal: control.signal, onProgress: () => control.abort() })
            .catch((error) => error.name);
    }""")
    assert (name, callee.evaluate("ended")) == ("AbortError", "wamp.error.canceled")
    again = caller.evaluate(
        "wamp.call('page.count', ['some'], { timeout: 300, onProgress() {} }).catch((error) => error.name)"
    )
    assert again == "TimedOut"
    assert caller.evaluate("wamp.connection.state") == "open", "late answers to cancelled calls are expected"
    callee.close()
    gone = "wamp.call('page.count', [], { patience: 0 }).catch((error) => error.uri)"
    assert caller.evaluate(gone) == "wamp.error.no_such_procedure"


@pytest.mark.usefixtures("backend")
def test_publish_subscribe_and_errors(open_page: Callable[..., Page]) -> None:
    page, other = open_page(), open_page()
    page.evaluate(
        "async () => { await wamp.subscribe('demo.said', (value, topic) => shown.push([value, topic])).ready; }"
    )
    other.evaluate("wamp.publish('demo.said', [0])")
    page.wait_for_function("() => shown.length")
    assert page.evaluate("shown") == [[0, "demo.said"]]
    refused = "wamp.publish('demo.secret', [0]).catch((error) => [error instanceof wamp.WampError, error.uri])"
    assert page.evaluate(refused) == [True, "wamp.error.not_authorized"]
    page.evaluate("() => { wamp.subscribe('demo.secret', () => {}); }")
    expect(page.locator("wamp-status")).to_have_text("Live updates stopped. Reload the page.")


def test_a_fragment_follows_and_its_form_is_accepted(
    open_page: Callable[..., Page], backend: Backend, shop: Shop, site: ClientSite
) -> None:
    page = open_page(CARD)
    is_open(page)
    page.wait_for_function("() => document.querySelector('live-fragment').getAttribute('have') === 'd0'")
    page.get_by_role("textbox").last.fill("mine")
    backend.publish(f"wampflask.fragments.card.{KEY}", ["d1", FORM.format(9)], 10**9)
    expect(page.get_by_text("9 left")).to_be_visible()
    assert shop.asked[0] == [["card", {"item": 3}, KEY, "d0"]]
    expect(page.locator("[name=note]")).to_have_value("mine")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("saved").wait_for()
    assert site.posted == [{"csrf_token": "the-token", "note": "mine"}]


def test_the_token_goes_into_fields_and_nowhere_else(open_page: Callable[..., Page], backend: Backend) -> None:
    page = open_page(CARD)
    is_open(page)
    text = '<p>csrf_token <a href="https://elsewhere.example/?csrf_token=">x</a> &lt;input name="csrf_token"&gt;</p>'
    backend.publish(f"wampflask.fragments.card.{KEY}", ["d1", text], 10**9)
    expect(page.get_by_text("csrf_token")).to_be_visible()
    assert "the-token" not in page.evaluate("document.querySelector('main').innerHTML")


def test_a_personal_fragment_is_asked_for_and_may_be_gone(
    open_page: Callable[..., Page], backend: Backend, shop: Shop
) -> None:
    page = open_page(CARD)
    is_open(page)
    shop.answer = ["d1", FORM.format(5)]
    backend.publish(f"wampflask.fragments.card.{KEY}", None, shop.next())
    expect(page.get_by_text("5 left")).to_be_visible()
    shop.answer = 0
    backend.publish(f"wampflask.fragments.card.{KEY}", None, shop.next())
    expect(page.locator("live-fragment")).to_be_hidden()
    shop.answer = ["d2", FORM.format(4)]
    backend.publish(f"wampflask.fragments.card.{KEY}", None, shop.next() + 10)
    expect(page.get_by_text("4 left")).to_be_visible()


def test_a_list_sends_only_the_rows_that_changed(open_page: Callable[..., Page], backend: Backend, shop: Shop) -> None:
    page = open_page(
        f'<live-fragment name="card" args="{{}}" key="{KEY}" have="d0"><ul data-rows></ul></live-fragment>'
    )
    is_open(page)
    topic = f"wampflask.fragments.card.{KEY}"
    rows = {key: f'<li data-key="{key}">{key}1</li>' for key in "abc"}
    whole = ["d1", {"order": [["a", "a1"], ["b", "b1"], ["c", "c1"]], "rows": rows}]
    backend.publish(topic, whole, 10**9)
    items = page.locator("li")
    expect(items).to_have_text(["a1", "b1", "c1"])
    expect(page.locator("live-fragment")).to_have_attribute("have", "d1")
    page.evaluate("() => { window.b = document.querySelector('[data-key=b]'); }")
    order = [["c", "c1"], ["b", "b2"], ["d", "d1"]]
    change = ["d2", {"order": order, "rows": {"b": "<li>b2</li>", "d": "<li>d1</li>"}}]
    backend.publish(topic, change, 10**9 + 1)
    expect(items).to_have_text(["c1", "b2", "d1"])
    assert page.evaluate("b === document.querySelector('[data-key=b]')")
    shop.number = 10**9 + 10
    shop.answer = ["d9", {"order": [["e", "e1"]], "rows": {"e": "<li>e1</li>"}}]
    backend.publish(topic, ["d3", {"order": [["e", "e1"], ["c", "c1"]], "rows": {}}], 10**9 + 5)  # one of ours was lost
    expect(items).to_have_text(["e1"])
    assert shop.asked[-1][0][3] == "", "everything is asked for"


@pytest.mark.usefixtures("backend")
def test_many_fragments_ask_in_one_call(open_page: Callable[..., Page], shop: Shop) -> None:
    page = open_page("".join(CARD.replace(KEY, f"k{number}") for number in range(120)))
    is_open(page)
    page.wait_for_function("() => document.querySelectorAll('live-fragment').length === 120")
    deadline = time.monotonic() + 10
    while sum(map(len, shop.asked)) < 120 and time.monotonic() < deadline:
        time.sleep(0.05)
    calls = list(map(len, shop.asked))
    assert sum(calls) == 120
    assert max(calls) <= 100
    assert len(calls) <= 6, "a few calls, also where a busy page is late with some"


def test_a_blocked_person_sees_why(open_page: Callable[..., Page], site: ClientSite, troubles: Troubles) -> None:
    troubles.expect("403")
    site.blocked = {"error": "blocked", "message": "You are blocked for spam.", "until": None}
    page = open_page()
    page.evaluate("() => wamp.connection.start()")
    expect(page.locator("wamp-status")).to_have_text("You are blocked for spam.")
    assert page.evaluate("wamp.connection.state") == "stopped"
    site.blocked = None
    page.evaluate("() => wamp.connection.reconnect()")
    is_open(page)
    expect(page.locator("wamp-status")).not_to_have_text("You are blocked for spam.")


def test_a_block_reaches_the_page_and_its_end_lets_it_in(
    open_page: Callable[..., Page], node: RouterNode, troubles: Troubles
) -> None:
    """With the library's own verbs, the router, and the site's tickets: nothing here is pretended."""
    troubles.expect("403")
    wamp, app = WAMP(), Flask("blocking", instance_path=str(node.folder))
    app.config.update(node.config)
    wamp.init_app(app)
    page = open_page()
    page.evaluate("() => wamp.connection.start()")
    is_open(page)
    authid = page.evaluate("wamp.connection.session.details.authid")
    with app.app_context():
        wamp.block(visitor=authid, until=3600, reason="You are blocked for spam.")
        expect(page.locator("wamp-status")).to_have_text("You are blocked for spam.")
        assert page.evaluate("wamp.connection.state") == "stopped"
        page.reload()
        page.evaluate("async () => { window.wamp = await import('wampflask'); wamp.connection.start(); }")
        expect(page.locator("wamp-status")).to_have_text("You are blocked for spam.")
        assert page.evaluate("wamp.connection.reason.kwargs.until") is not None
        wamp.unblock(visitor=authid)
        page.evaluate("() => wamp.connection.reconnect()")
        is_open(page)
        first = page.evaluate("window.first = wamp.connection.session.id")
        wamp.refresh(visitor=authid)
        page.wait_for_function("() => wamp.connection.session && wamp.connection.session.id !== first")
        session = page.evaluate("wamp.connection.session.id")
        assert session != first
        page.evaluate("wamp.register('page.ask.{session}', ([question]) => `yes: ${question}`).ready")
        assert wamp.to(session=session).call("page.ask", "Really?") == "yes: Really?"
    app.extensions["wamp"].stop()


def test_the_server_ends_a_session_for_a_new_ticket(
    open_page: Callable[..., Page], backend: Backend, site: ClientSite
) -> None:
    page = open_page()
    page.evaluate(LIVE)
    is_open(page)
    page.evaluate("async () => { const id = wamp.connection.session.id; window.first = id; }")
    authid = page.evaluate("wamp.connection.session.details.authid")
    backend.call("wamp.session.kill_by_authid", authid, reason="wampflask.close.refresh")
    page.wait_for_function("() => wamp.connection.session && wamp.connection.session.id !== first")
    assert site.tickets == 2


def test_a_page_in_the_back_forward_cache_holds_no_session(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.evaluate("() => { wamp.connection.start(); }")
    is_open(page)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    expect(page.locator("html")).to_have_attribute("data-connection", "stopped")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    is_open(page)


def test_the_name_that_stays_is_the_same_module(open_page: Callable[..., Page]) -> None:
    page = open_page()
    assert page.evaluate("import('/wamp/client.js').then((other) => other.connection === wamp.connection)")


def test_what_may_not_be_live_is_said(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.evaluate("() => { wamp.live('shop.secret', () => {}); }")
    expect(page.locator("wamp-status")).to_have_text("Live updates stopped. Reload the page.")


@pytest.mark.usefixtures("backend")
def test_a_page_that_wakes_up_asks_at_once(open_page: Callable[..., Page]) -> None:
    """Whatever else it says, the router's answer shows that the socket lives."""
    page = open_page()
    page.evaluate(LIVE)
    shows(page, 10)
    page.evaluate("""() => {
        const { session } = wamp.connection;
        const call = session.call;
        session.call = (...how) => call.apply(session, how).finally(() => { window.answered = true; });
        dispatchEvent(new Event("online"));
    }""")
    page.wait_for_function("() => window.answered")
    assert page.evaluate("wamp.connection.state") == "open"


@pytest.mark.usefixtures("backend")
def test_a_router_that_falls_silent_is_noticed(
    open_page: Callable[..., Page], node: RouterNode, troubles: Troubles
) -> None:
    """A half-open socket: nothing closes, nothing answers."""
    troubles.expect(*ROUTER_GONE)
    page = open_page()
    page.evaluate(LIVE)
    shows(page, 10)
    group = os.getpgid(node.pid or 0)
    os.killpg(group, signal.SIGSTOP)
    try:
        page.evaluate("() => wamp.connection.wake()")
        page.wait_for_function("() => wamp.connection.session === null")
    finally:
        os.killpg(group, signal.SIGCONT)
    is_open(page)
