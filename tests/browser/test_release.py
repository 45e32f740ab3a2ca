"""After a deploy, open pages learn that there is a newer release, and offer to load it."""

from __future__ import annotations

from playwright.sync_api import expect

from rig.live_site import LiveSite
from tests.browser.conftest import OpenPage


def test_pages_of_an_older_release_offer_to_reload(open_page: OpenPage, site: LiveSite) -> None:
    page, other = open_page("/polls/"), open_page("/demo/")
    bar = page.locator(".release")
    expect(bar).to_have_attribute("data-ready", "")
    expect(bar).to_be_hidden()
    idle = open_page("/login")
    expect(idle.locator(".release")).to_have_attribute("data-ready", "")

    with site.another_worker(WAMPFLASK_RELEASE="2") as newer:
        expect(bar).to_be_visible()
        expect(bar).to_contain_text("There is a newer version of this page.")
        other.get_by_role("button", name="Later").click()
        expect(other.locator(".release")).to_be_hidden()
        assert 'data-release="2"' in page.request.get(f"{newer}/polls/").text()
        expect(idle.locator("html")).to_have_attribute("data-connection", "stopped")
