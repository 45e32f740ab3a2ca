"""The pictures of the README: ``python -m tests.browser.screenshots [docs/screenshots]``.

A site is started in a temporary folder, filled with a lively poll, and photographed on a phone and on a wide screen.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from rig.browser import chromium
from rig.live_site import LiveSite, live_site_in
from rig.people import Admin, Person
from tests.browser.agents import agent_of
from tests.browser.browsing import choice, is_connected, is_ready
from tests.browser.readme_shop import readme_shop
from tests.browser.test_chat import is_in, say
from tests.browser.test_tables import add as add_row

PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 800}
ADDRESS = "http://polls.example.org"  # in the pictures only
QUESTION = "Which lunch brings the team together?"
LUNCHES = ("Ramen in the courtyard", "Pizza, as always", "A picnic by the river", "Everyone cooks")
VOTES = (9, 4, 6, 2)
WINDOWS = """<!doctype html><html lang="en"><style>
body { margin: 0; display: grid; grid-template-columns: 1fr 1fr; gap: 16px; padding: 16px; background: #d8dce2 }
iframe { width: 100%; height: 178px; border: 0; border-radius: 8px; background: #fff }
</style><iframe src="/"></iframe><iframe src="/"></iframe></html>"""
SAID = ("The boat leaves at ten.", "Is there coffee on board?", "There is. And cake: https://cake.example.org")
STOCK = {"Life jackets": 24, "Paddles": 18, "Thermos flasks": 6}
HOSTS = ("harbour", "lighthouse", "ferry")


def fill(site: LiveSite, browser: Browser, admin: Admin) -> int:
    """A poll with votes; its id."""
    admin.new_poll("Tabs or spaces, and why is it tabs?", "Tabs", "Spaces")
    poll = admin.new_poll(QUESTION, *LUNCHES)
    for key, count in zip(admin.choices(poll), VOTES, strict=True):
        for _ in range(count):
            voter = browser.new_context()
            Person(site, voter.request).vote(poll, key)
            voter.close()
    return poll


def photograph(site: LiveSite, browser: Browser, folder: Path) -> None:
    """Take them all."""
    admin = Admin(site, browser.new_context())
    poll = fill(site, browser, admin)

    def opened(path: str, size: dict[str, int], scheme: str, *, as_admin: bool = False) -> Page:
        known = admin.context.storage_state() if as_admin else None
        context = browser.new_context(
            base_url=site.url,
            storage_state=known,
            viewport={"width": size["width"], "height": size["height"]},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.goto(path)
        is_ready(page)
        return page

    def keep(page: Page, name: str) -> None:
        page.screenshot(path=str(folder / f"{name}.png"))
        page.context.close()

    for scheme in ("light", "dark"):
        keep(opened("/", WIDE, scheme), f"home-{scheme}")
        stage = opened(f"/polls/{poll}/present", WIDE, scheme)
        is_connected(stage)
        keep(stage, f"present-{scheme}")
    keep(opened("/polls/", WIDE, "light"), "polls-light")
    keep(opened(f"/polls/{poll}/edit", PHONE, "light", as_admin=True), "phone-edit-light")
    ballot = opened(f"/polls/{poll}/", PHONE, "light")
    choice(ballot, LUNCHES[2]).check()
    ballot.screenshot(path=str(folder / "phone-vote-light.png"))
    ballot.get_by_role("button", name="Vote").click()
    ballot.get_by_text("Your vote is counted.").wait_for()
    keep(ballot, "phone-results-light")
    keep(opened(f"/polls/{poll}/results", PHONE, "dark"), "phone-results-dark")
    room = opened("/chat/harbour-cafe/", PHONE, "light")
    converse(room)
    keep(room, "phone-chat-light")
    table = opened("/tables/", WIDE, "light")
    is_connected(table)
    for name, value in STOCK.items():
        add_row(table, name, value)
    keep(table, "tables-light")
    with agents(site, admin):
        dashboard = opened("/dashboard/", WIDE, "dark", as_admin=True)
        for name in HOSTS:
            dashboard.get_by_text(name, exact=True).first.wait_for()
        dashboard.wait_for_timeout(20_000)  # so that the sparklines have a shape to show
        keep(dashboard, "dashboard-dark")


def photograph_shop(browser: Browser, folder: Path) -> None:
    """The README's first example, in two windows, after a purchase in one of them."""
    with readme_shop() as shop:
        shop.develop()
        page = browser.new_page(viewport={"width": 900, "height": 210}, device_scale_factor=2)
        page.goto(shop.url)
        page.set_content(WINDOWS)
        one, other = (page.frame_locator(f"iframe >> nth={place}") for place in (0, 1))
        for frame in (one, other):
            expect(frame.locator("html")).to_have_attribute("data-connection", "open", timeout=20_000)
        one.locator("form", has_text="Tea").get_by_role("button").click()
        expect(other.locator("form", has_text="Tea")).to_contain_text("11 left")
        expect(one.locator("form", has_text="Tea")).to_contain_text("11 left")
        page.screenshot(path=str(folder / "shop-light.png"))
        page.close()


def converse(room: Page) -> None:
    """Something is said in a chat room."""
    is_in(room)
    for text in SAID:
        say(room, text)
        expect(room.locator("[data-part=log]")).to_contain_text(text)


@contextmanager
def agents(site: LiveSite, admin: Admin) -> Iterator[None]:
    """Agents of a few hosts, which all are this machine."""
    with ExitStack() as stack:
        for name in HOSTS:
            agent = stack.enter_context(agent_of(site, site.folder / name, name))
            agent.start(admin.new_token())
        yield


def main() -> None:
    """Take the pictures into the folder named on the command line."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as instance,
        chromium() as browser,
        live_site_in(Path(instance), ADDRESS) as site,
    ):
        photograph(site, browser, folder)
        photograph_shop(browser, folder)


if __name__ == "__main__":
    main()
