"""What pages weigh on the wire, what moves in them, and that a ballot works before its scripts are there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect

from rig.live_site import LiveSite
from rig.people import Admin
from rig.weight import weighed
from tests.browser.browsing import choice, is_connected, is_ready, leave, shows_count

BALLOT_FILES = 6
BALLOT_MAX = 90_000
WARM_MAX = 12_000
ADMIN_MAX = 300_000
SHIFT_MAX = 0.1

pytestmark = pytest.mark.slow


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    fresh = browser.new_context()
    fresh.set_default_timeout(20_000)
    yield fresh
    leave(fresh)


def test_a_ballot_is_light_and_the_next_time_only_the_page(
    site: LiveSite, admin: Admin, visitor: BrowserContext
) -> None:
    poll = admin.new_poll("Light or heavy?", "Light", "Heavy")
    visits = [_visit(visitor, f"{site.url}/polls/{poll}/") for _ in range(3)]
    assert max(visit.shift for visit in visits) <= SHIFT_MAX
    assert len(visits[0].files) <= BALLOT_FILES, visits[0].files
    assert BALLOT_MAX / 2 < visits[0].size <= BALLOT_MAX
    assert visits[2].files == []
    assert visits[2].size <= WARM_MAX


class Visit(NamedTuple):
    """What a ballot weighed."""

    files: list[str]
    size: int
    shift: float


def _visit(visitor: BrowserContext, url: str) -> Visit:
    with weighed(visitor) as weight:
        weight.page.goto(url, wait_until="networkidle")
        is_connected(weight.page)
        is_ready(weight.page)
        return Visit(weight.files, weight.size, weight.shift)


@pytest.mark.parametrize("path", ["/admin/questions/", "/admin/hosts/", "/admin/alert_rules/"])
def test_the_admins_lists_are_light_and_stay_where_they_are(
    site: LiveSite, admin: Admin, browser: Browser, path: str
) -> None:
    admin.new_poll("Here or there?", "Here", "There")
    context = browser.new_context(storage_state=admin.context.storage_state())
    try:
        with weighed(context) as weight:
            weight.page.goto(site.url + path, wait_until="networkidle")
            assert 100_000 < weight.size <= ADMIN_MAX
            assert weight.shift <= SHIFT_MAX
    finally:
        leave(context)


def test_a_ballot_is_voted_on_before_its_scripts_come(site: LiveSite, admin: Admin, visitor: BrowserContext) -> None:
    poll = admin.new_poll("Now or later?", "Now", "Later")
    held: list[Route] = []
    with weighed(visitor) as weight:
        page = weight.page
        page.route("**/*.js", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the handler
        page.goto(f"{site.url}/polls/{poll}/", wait_until="commit")
        choice(page, "Now").check()
        page.get_by_role("button", name="Vote").click(no_wait_after=True)
        expect(page.get_by_text("Your vote is counted.")).to_be_visible()
        shows_count(page, poll, 1)
        assert page.locator("html").get_attribute("data-connection") is None
        assert held, "no script has come"


def test_on_a_slow_network_the_ballot_is_there_before_it_is_live(
    site: LiveSite, admin: Admin, visitor: BrowserContext
) -> None:
    poll = admin.new_poll("Slow or quick?", "Slow", "Quick")
    with weighed(visitor) as weight:
        weight.slow_down()
        page = weight.page
        page.goto(f"{site.url}/polls/{poll}/", wait_until="commit")
        expect(choice(page, "Slow")).to_be_enabled()
        is_connected(page)
        seconds = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000")
        print(f"painted after {seconds:.1f} s, live after {page.evaluate('performance.now() / 1000'):.1f} s")
        assert weight.size <= BALLOT_MAX
