"""Live things end to end: declared in Flask, read by its worker, numbered by the router, shown by the client."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask, render_template_string, request
from flask_wtf import CSRFProtect
from jinja2 import DictLoader
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.serving import make_server

from tests.browser.browsing import ROUTER_GONE, Troubles, page_in
from wampflask import WAMP
from wampflask.caller import Caller
from wampflask.presence import Person
from wampflask.router.wire import wait_until
from wampflask.testing import RouterNode

TEMPLATES = {
    "_card.html": """<b>{{ left }} left</b>
        <form method="post">{{ csrf_field() }}<input name="note"><button>Buy</button></form>""",
    "_item.html": '<li data-key="{{ key }}">{{ item.name }}: {{ item.left }}</li>',
    "_mine.html": "<i>{{ who }} has {{ bought }}</i>",
}
PAGE = """<!doctype html><html lang="en"><head>
<title>shop</title><link rel="icon" href="data:,">{{ wamp_head() }}</head>
<body>{{ fragment("card", item="tea") }}<hr>{{ fragment("items") }}<hr>{{ fragment("mine") }}</body></html>"""


class Shop:
    """A site with live things, in this process; what it sells is in ``left``."""

    def __init__(self, node: RouterNode, folder: Path) -> None:
        self.left = {"tea": 12, "rum": 12}
        self.bought = 0
        self.messages = [{"id": 1, "text": "one"}]
        self.wamp = wamp = WAMP()
        self.app = Flask("shop", instance_path=str(folder))
        self.app.config.update(node.config)
        self.app.config["SECRET_KEY"] = "not secret in tests"
        self.app.jinja_env.loader = DictLoader(TEMPLATES)
        CSRFProtect(self.app)
        wamp.init_app(self.app)

        @wamp.value("shop.stock.<item>", allow="everyone")
        def stock(item: str) -> dict[str, int]:
            return {"left": self.left[item]}

        @wamp.rows("shop.items", allow="everyone", key="name")
        def rows() -> list[dict[str, object]]:
            return [{"name": name, "left": left} for name, left in self.left.items()]

        @wamp.log("shop.said", allow="everyone")
        def said(since: int | None) -> list[dict[str, object]]:
            return [message for message in self.messages if int(str(message["id"])) > (since or 0)]

        @wamp.fragment("_card.html", allow="everyone")
        def card(item: str) -> dict[str, object]:
            return {"left": self.left[item]}

        @wamp.fragment("_item.html", allow="everyone", row="item", key="name")
        def items() -> list[dict[str, object]]:
            return rows()

        @wamp.fragment("_mine.html", allow="everyone", per="person")
        def mine(viewer: Caller) -> dict[str, object]:
            return {"who": viewer.role, "bought": self.bought}

        @wamp.presence("shop.floor", allow="everyone")
        def describe(person: Person) -> dict[str, int]:
            return {"pages": person.pages}

        self.came: list[str] = []
        self.left_again: list[str] = []
        describe.on_join(lambda person: self.came.append(person.authid))
        describe.on_leave(lambda person: self.left_again.append(person.authid))

        self.stock, self.rows, self.said, self.card, self.items, self.mine = stock, rows, said, card, items, mine
        self.notes: list[str] = []
        self.app.add_url_rule("/", "page", self._page, methods=["GET", "POST"])
        node.permit(wamp.permissions)
        node.start()

    def _page(self) -> str:
        if request.method == "POST":
            self.notes.append(request.form["note"])
            self.sell("tea")
        return render_template_string(PAGE)

    def sell(self, item: str) -> None:
        self.left[item] -= 1
        self.bought += 1
        with self.app.app_context():
            self.stock.changed(item=item)
            self.rows.changed(item)
            self.card.changed(item=item)
            self.items.changed()
            self.mine.changed()

    def say(self, text: str) -> None:
        message = {"id": len(self.messages) + 1, "text": text}
        self.messages.append(message)
        with self.app.app_context():
            self.said.append(message)


@pytest.fixture(scope="module")
def node() -> RouterNode:
    return RouterNode(())


@pytest.fixture(scope="module")
def shop(node: RouterNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, str]]:
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(node, folder)
    server = make_server("127.0.0.1", 0, shop.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="wamp-shop")
    thread.start()
    with shop.app.app_context():
        shop.wamp.connect(30)
    yield shop, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()
    shop.app.extensions["wamp"].stop()
    node.close()


@pytest.fixture
def page(context: BrowserContext, shop: tuple[Shop, str], troubles: Troubles) -> Page:
    opened = page_in(context, troubles)
    opened.goto(shop[1])
    opened.evaluate("async () => { window.wamp = await import('wampflask'); window.shown = []; }")
    expect(opened.locator("html")).to_have_attribute("data-connection", "open", timeout=20_000)
    return opened


def shows(page: Page, what: Callable[[], object]) -> None:
    """Wait until the page was last given this."""
    page.wait_for_function("(what) => JSON.stringify(shown.at(-1)) === JSON.stringify(what)", arg=what())


def test_fragments_follow(page: Page, shop: tuple[Shop, str]) -> None:
    site = shop[0]
    page.get_by_role("textbox").fill("typed")
    for _ in range(2):
        site.sell("tea")
        left = site.left["tea"]
        expect(page.locator("b")).to_have_text(f"{left} left")
        expect(page.locator("li")).to_have_text([f"tea: {left}", f"rum: {site.left['rum']}"])
        expect(page.locator("i")).to_have_text(f"visitor has {site.bought}")
    expect(page.get_by_role("textbox")).to_have_value("typed")


def test_a_form_in_what_was_pushed_is_accepted(page: Page, shop: tuple[Shop, str]) -> None:
    site = shop[0]
    site.sell("tea")
    expect(page.locator("b")).to_have_text(f"{site.left['tea']} left")
    page.get_by_role("textbox").fill("from what was pushed")
    page.get_by_role("button").click()
    expect(page.locator("b")).to_have_text(f"{site.left['tea']} left")
    assert site.notes[-1] == "from what was pushed"


def test_without_javascript_everything_is_there_and_forms_work(browser: Browser, shop: tuple[Shop, str]) -> None:
    site, url = shop
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(url)
        expect(page.locator("li")).to_have_text([f"{name}: {left}" for name, left in site.left.items()])
        expect(page.locator("i")).to_have_text(f"visitor has {site.bought}")
        page.get_by_role("textbox").fill("without")
        page.get_by_role("button").click()
        expect(page.locator("b")).to_have_text(f"{site.left['tea']} left")
    assert site.notes[-1] == "without"


def test_a_new_page_of_a_list_knows_its_rows(
    page: Page, context: BrowserContext, shop: tuple[Shop, str], troubles: Troubles
) -> None:
    """Events carry only the rows that changed; a page that has just come need not ask for the others."""
    site, url = shop
    site.sell("rum")
    expect(page.locator("li").last).to_have_text(f"rum: {site.left['rum']}")
    new, asked = page_in(context, troubles), []

    def note(frame: str | bytes) -> None:
        if "wampflask.live.fetch" in str(frame):
            asked.append([entry[0] for entry in json.loads(frame)[4][0]])

    new.on("websocket", lambda socket: socket.on("framesent", note))
    new.goto(url)
    expect(new.locator("html")).to_have_attribute("data-connection", "open", timeout=20_000)
    for _ in range(3):
        site.sell("rum")
        expect(new.locator("li").last).to_have_text(f"rum: {site.left['rum']}")
        expect(new.locator("i")).to_have_text(f"visitor has {site.bought}")  # which it asks for, at last
    assert sum("items" in names for names in asked) == 1, asked


def test_a_value_follows(page: Page, shop: tuple[Shop, str]) -> None:
    page.evaluate("() => { wamp.live('shop.stock.rum', (state) => shown.push(state)); }")
    shows(page, lambda: {"left": shop[0].left["rum"]})
    shop[0].sell("rum")
    shows(page, lambda: {"left": shop[0].left["rum"]})


def test_rows_follow(page: Page, shop: tuple[Shop, str]) -> None:
    page.evaluate("""() => {
        wamp.live("shop.items", (rows) => shown.push([...rows.values()].map((row) => row.left)), { kind: "rows" });
    }""")
    shows(page, lambda: list(shop[0].left.values()))
    shop[0].sell("rum")
    shows(page, lambda: list(shop[0].left.values()))


def test_a_log_follows(page: Page, shop: tuple[Shop, str]) -> None:
    page.evaluate("() => { wamp.live('shop.said', (item) => shown.push(item.text), { kind: 'log' }); }")
    shows(page, lambda: "one")
    shop[0].say("two")
    shows(page, lambda: "two")


def test_people_are_present(page: Page) -> None:
    page.evaluate(
        "() => { wamp.presence('shop.floor', (people) => shown.push([...people.values()].map((p) => p.role))); }"
    )
    shows(page, lambda: ["visitor"])


def test_a_restart_of_the_router_is_no_coming_and_no_leaving(
    page: Page, node: RouterNode, shop: tuple[Shop, str], troubles: Troubles
) -> None:
    site = shop[0]
    troubles.expect(*ROUTER_GONE)
    page.evaluate("() => { wamp.presence('shop.floor', (people) => shown.push([...people.keys()])); }")
    page.wait_for_function("() => shown.length && shown.at(-1).length === 1")
    (who,) = page.evaluate("shown.at(-1)")
    assert wait_until(lambda: who in site.came, 20)
    came, left = list(site.came), list(site.left_again)
    node.kill9()
    expect(page.locator("html")).not_to_have_attribute("data-connection", "open")
    node.start()
    expect(page.locator("html")).to_have_attribute("data-connection", "open", timeout=30_000)
    page.wait_for_function("() => shown.length > 1 && shown.at(-1).length === 1")
    with site.app.app_context():
        site.wamp.connect(30)
        assert wait_until(lambda: [(one.authid, one.pages) for one in site.wamp.online("shop.floor")] == [(who, 1)], 20)
    assert (site.came, site.left_again) == (came, left)
    page.close()
    assert wait_until(lambda: who in site.left_again, 30), "and a leaving is one"
