"""In a browser: what was written outlives the session."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from rig.live_site import LiveSite
from rig.people import Admin
from tests.browser.browsing import Troubles, choice, is_ready, shows_count
from tests.browser.conftest import OpenPage

EXPIRED = "Your session has expired. Your text is still here: send it again."
SESSION = "wampflask_session"


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_vote_without_javascript(open_page: OpenPage, admin: Admin, troubles: Troubles) -> None:
    troubles.expect("status of 400")
    poll = admin.new_poll("Too late?", "Yes", "No")
    page = open_page(f"/polls/{poll}/", java_script_enabled=False)
    choice(page, "Yes").check()
    page.context.clear_cookies(name=SESSION)
    press(page, "Vote")
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text(EXPIRED)
    page.context.clear_cookies()  # as a browser that keeps none
    press(page, "Send again")
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("forms need cookies")
    press(page, "Send again")
    shows_count(page, poll, 1)


def test_a_poll_and_its_log_in(open_page: OpenPage, site: LiveSite, troubles: Troubles) -> None:
    troubles.expect("status of 400", "status of 401")
    page = open_page("/polls/new", as_admin=True)
    is_ready(page)
    page.get_by_label("Question", exact=True).fill("Written at length?")
    page.get_by_label("Choice 1", exact=True).fill("Once & for all")
    page.get_by_label("Choice 2", exact=True).fill("Never")
    page.wait_for_load_state("networkidle")
    page.context.clear_cookies()
    press(page, "Save poll")
    expect(page.locator("main")).to_contain_text(EXPIRED)
    expect(page.locator("main")).to_contain_text("Written at length?")
    press(page, "Send again")
    expect(page.locator("main")).to_contain_text("log in, then send it again")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Log in (opens a new tab)").click()
    tab = opened.value
    tab.get_by_label("Email").fill(site.admin_email)
    tab.get_by_label("Password").fill(site.admin_password)
    press(tab, "Log in")
    expect(tab.get_by_role("button", name="Log out")).to_be_visible()
    press(page, "Send again")
    expect(page.get_by_role("heading", name="Written at length?")).to_be_visible()
    expect(choice(page, "Once & for all")).to_be_visible()
