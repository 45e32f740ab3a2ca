"""The page for the projector."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.browsing import is_connected, shows_count
from tests.browser.conftest import OpenPage
from tests.browser.live_site import Admin, LiveSite, Person


def test_how_to_join_is_on_the_wall(
    open_page: OpenPage, admin: Admin, site: LiveSite, someone: Callable[[], Person]
) -> None:
    poll = admin.new_poll("Seen from the last row?", "Yes", "No")
    page = open_page(f"/polls/{poll}/present", viewport={"width": 1920, "height": 1080})
    code = str(admin.snapshot(poll)["code"])
    picture = page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    assert picture.evaluate("(image) => image.complete && image.naturalWidth > 0")
    assert picture.evaluate("(image) => image.getBoundingClientRect().width") >= 300
    expect(page.get_by_role("link", name=f"{site.url.removeprefix('http://')}/p/{code}")).to_be_visible()
    expect(page.locator(".ticket__code")).to_contain_text(code)
    assert float(page.locator("h1").evaluate("(h1) => parseFloat(getComputedStyle(h1).fontSize)")) >= 64
    assert someone().vote(poll, admin.choices(poll)[0]).ok
    shows_count(page, poll, 1)
    fits = page.evaluate(
        "document.scrollingElement.scrollHeight <= innerHeight && document.scrollingElement.scrollWidth <= innerWidth"
    )
    assert fits, "nothing is below the fold of a projector"


def test_full_screen_by_button_and_key(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Full?", "Yes", "No")
    page = open_page(f"/polls/{poll}/present")
    page.get_by_role("button", name="Full screen").click()
    expect(page.locator("html:fullscreen")).to_be_attached()
    page.keyboard.press("f")
    expect(page.locator("html:fullscreen")).not_to_be_attached()


def test_counts_not_for_everybody_stay_off_the_wall(
    open_page: OpenPage, admin: Admin, someone: Callable[[], Person]
) -> None:
    poll = admin.new_poll("Held back?", "Yes", "No", visibility="after_close")
    assert someone().vote(poll, admin.choices(poll)[0]).ok
    page = open_page(f"/polls/{poll}/present", as_admin=True)
    is_connected(page)
    shows_count(page, poll, 1)
    expect(page.get_by_text("100%")).to_be_hidden()
    page.get_by_role("button", name="Show results here").click()
    expect(page.get_by_text("100%")).to_be_visible()
    page.get_by_role("button", name="Show results here").click()
    expect(page.get_by_text("100%")).to_be_hidden()
    page.get_by_role("button", name="Close voting").click()
    expect(page.get_by_text("100%")).to_be_visible()
