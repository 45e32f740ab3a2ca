"""The router is gone, and comes back: what pages say, what is stored, what they show afterwards."""

from __future__ import annotations

from playwright.sync_api import expect

from rig.live_site import LiveSite
from rig.people import Admin
from tests.browser.browsing import ROUTER_GONE, Troubles, choice, is_connected, is_uncovered, shows_count
from tests.browser.conftest import OpenPage
from tests.browser.test_following import freeze, thaw


def test_votes_go_on_while_the_router_is_gone(
    open_page: OpenPage, admin: Admin, site: LiveSite, troubles: Troubles
) -> None:
    troubles.expect(*ROUTER_GONE)
    poll = admin.new_poll("Still counted?", "Yes", "No")
    voter, watcher = open_page(f"/polls/{poll}/"), open_page(f"/polls/{poll}/results")
    index, asleep = open_page("/polls/"), open_page(f"/polls/{poll}/results")
    phone = {"viewport": {"width": 390, "height": 844}}
    wall = open_page(f"/polls/{poll}/present", as_admin=True)
    rooms = [open_page("/chat/outage/"), open_page("/chat/outage/", **phone)]
    for page in (voter, watcher, index, asleep, wall, *rooms):
        is_connected(page)
    freeze(asleep)
    site.node.kill9()
    try:
        for page in (voter, watcher, index, wall, *rooms):
            expect(page.get_by_role("status").filter(has_text="Connection lost")).to_be_visible()
        is_uncovered(wall.locator(".stage__foot .tally"))
        is_uncovered(wall.get_by_role("button", name="Close voting"))
        for room in rooms:
            is_uncovered(room.get_by_label("Message", exact=True))
            is_uncovered(room.get_by_role("button", name="Send"))
        choice(voter, "Yes").check()
        voter.get_by_role("button", name="Vote").click()
        shows_count(voter, poll, 1)
        assert admin.snapshot(poll)["voters"] == 1
        shows_count(watcher, poll, 0)
    finally:
        site.node.start()
    # shown for a while only: before anything else is waited for
    expect(watcher.get_by_role("status").filter(has_text="Back online")).to_be_visible(timeout=20_000)
    thaw(asleep)
    for page in (watcher, index, asleep):
        is_connected(page)
        shows_count(page, poll, 1)
    expect(watcher.locator(".connection")).to_have_text("")
    is_connected(voter)


def test_nothing_flashes_while_pages_load(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Calm?", "Yes", "No")
    page = open_page("/polls/")
    page.context.add_init_script("""
        if (location.protocol !== "about:") new MutationObserver((changes) => {
            for (const { target } of changes) if (target.dataset.state) sessionStorage.flashed = target.textContent;
        }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-state"] });
    """)
    for path in ("/polls/", f"/polls/{poll}/", f"/polls/{poll}/results", "/login", f"/polls/{poll}/present"):
        page.goto(path)
        if path != "/login":
            is_connected(page)
    assert page.evaluate("sessionStorage.flashed ?? null") is None
