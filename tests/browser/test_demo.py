"""The demos in two tabs, and what is left of them when the router is killed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from rig.live_site import LiveSite
from tests.browser.axe import serious
from tests.browser.browsing import ROUTER_GONE, Troubles, is_connected
from tests.browser.conftest import OpenPage

UUID = re.compile("^[0-9a-f]{32}$")


def test_a_uuid_on_load_and_by_button(open_page: OpenPage) -> None:
    page = open_page("/demo/")
    shown = page.locator("output")
    expect(shown).to_have_text(UUID)
    first = shown.inner_text()
    page.get_by_role("button", name="Get another UUID").click()
    expect(shown).not_to_have_text(first)
    expect(shown).to_have_text(UUID)


def test_pages_that_load_are_counted(open_page: OpenPage) -> None:
    counter = open_page("/ping/")
    is_connected(counter)
    other = open_page("/demo/")
    expect(counter.locator("output")).to_have_text(["1", "1"])  # by the page, and by Python
    other.reload()
    expect(counter.locator("output")).to_have_text(["2", "2"])
    open_page("/bam/")
    expect(counter.locator("output")).to_have_text(["3", "3"])


def test_a_view_calls(open_page: OpenPage) -> None:
    page = open_page("/demo/")
    page.get_by_role("link", name="Have a view call").click()
    expect(page.locator("body")).to_have_text(UUID)


def test_a_bam_shows_once_in_every_tab(open_page: OpenPage) -> None:
    pages = [open_page("/bam/") for _ in range(3)]
    for page in pages:
        is_connected(page)
    pages[0].get_by_role("button", name="Bam").click()
    for page in pages:
        expect(page.locator("li", has_text="bam")).to_have_count(1)
    pages[1].get_by_role("button", name="Bam").click()
    for page in pages:
        expect(page.locator("li", has_text="bam")).to_have_count(2)


def test_demos_outlive_the_router(site: LiveSite, open_page: OpenPage, troubles: Troubles) -> None:
    troubles.expect(*ROUTER_GONE)
    asker, counter, one, other = (open_page(path) for path in ("/demo/", "/ping/", "/bam/", "/bam/"))
    for page in (asker, counter, one, other):
        is_connected(page)
    shown = asker.locator("output")
    expect(shown).to_have_text(UUID)
    site.node.kill9()
    expect(asker.locator("html")).to_have_attribute("data-connection", re.compile("waiting|connecting"))
    asker.get_by_role("button").filter(has_text="Get another UUID").click()
    expect(shown).to_have_text("Not connected, try again.")
    site.node.start()
    for page in (asker, counter, one, other):
        is_connected(page)
    expect(shown).to_have_text(UUID)
    one.get_by_role("button", name="Bam").click()
    expect(other.locator("li", has_text="bam")).to_have_count(1)
    before = int(counter.locator("output").first.inner_text())
    open_page("/demo/")
    expect(counter.locator("output").first).not_to_have_text(str(before))


@pytest.mark.parametrize("path", ["/demo/", "/ping/", "/bam/"])
def test_a_demo_fits_a_phone(open_page: OpenPage, path: str) -> None:
    page = open_page(path, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page: OpenPage, scheme: str) -> None:
    page = open_page("/demo/", color_scheme=scheme, reduced_motion="reduce")
    problems: list[str] = []
    for path in ("/demo/", "/ping/", "/bam/"):
        page.goto(path)
        is_connected(page)
        problems += serious(page)
    assert not problems, "\n".join(problems)
