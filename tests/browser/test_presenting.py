"""The page for the projector."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from rig.live_site import LiveSite
from rig.people import Admin, Person
from tests.browser.browsing import choice, is_connected, is_ready, shows_count
from tests.browser.conftest import OpenPage


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


def test_the_presenters_own_vote_is_not_on_the_wall(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Mine?", "Yes", "No")
    page = open_page(f"/polls/{poll}/")
    choice(page, "Yes").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.locator("[data-part=mine]:visible")).to_have_count(1)
    page.context.add_init_script(
        "document.addEventListener('poll:state', () => document.documentElement.setAttribute('data-told', ''))"
    )
    page.goto(f"/polls/{poll}/present")
    expect(page.locator("html[data-told]")).to_be_attached()
    shows_count(page, poll, 1)
    expect(page.locator("[data-part=mine]:visible")).to_have_count(0)


LONGEST = ("Which of these changes will have made the greatest difference by the end of the year? " * 4)[:300]
CHOICES = [
    f"{number}: a choice with more words than fit into one line of a small projector, {number}" for number in range(8)
]


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (1440, 900), (1920, 1080)])
def test_the_longest_poll_fits_the_wall(open_page: OpenPage, admin: Admin, width: int, height: int) -> None:
    poll = admin.new_poll(LONGEST, *CHOICES)
    page = open_page(f"/polls/{poll}/present", as_admin=True, viewport={"width": width, "height": height})
    is_connected(page)
    is_ready(page)
    seen = [page.get_by_role("img", name="QR code"), page.locator("h1"), page.locator(".bar").last]
    seen += [page.locator(".stage__foot .tally"), page.get_by_role("button", name="Close voting")]
    for part in seen:
        expect(part).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")


def test_a_short_poll_uses_the_wall_and_an_edit_is_fitted(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Tea or coffee?", "Tea", "Coffee")
    page = open_page(f"/polls/{poll}/present", viewport={"width": 1440, "height": 900})
    is_connected(page)
    size = "parseFloat(getComputedStyle(document.querySelector('.bar')).fontSize)"
    assert page.evaluate(size) >= 48
    tea, coffee = admin.choices(poll)
    admin.edit_poll(poll, LONGEST, [(tea, CHOICES[0]), (coffee, CHOICES[1])])
    expect(page.locator("h1")).to_have_text(LONGEST)
    for part in (page.locator("h1"), page.locator(".bar").last):
        expect(part).to_be_in_viewport(ratio=1)
    box = page.locator(".stage__poll")
    assert box.evaluate("(box) => box.scrollHeight <= box.clientHeight")


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
