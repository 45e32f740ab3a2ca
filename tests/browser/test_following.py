"""Open pages follow what happens: votes of others, wording, opening and closing, reset, deletion; also after sleep."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from rig.people import Admin, Person
from tests.browser.browsing import choice, is_connected, shows_count
from tests.browser.conftest import OpenPage


def test_a_late_joiner_sees_all(open_page: OpenPage, admin: Admin, someone: Callable[[], Person]) -> None:
    poll = admin.new_poll("Who is late?", "Me", "You")
    me, you = admin.choices(poll)
    for picked in (me, me, you):
        assert someone().vote(poll, picked).ok
    late = open_page(f"/polls/{poll}/results")
    shows_count(late, poll, 3)
    is_connected(late)
    assert someone().vote(poll, you).ok
    shows_count(late, poll, 4)
    expect(late.locator(".bar", has_text="Me")).to_contain_text("50%")


def test_new_wording_shows_at_once(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Wat?", "Oen", "Two")
    one, two = admin.choices(poll)
    ballot, results = open_page(f"/polls/{poll}/"), open_page(f"/polls/{poll}/results")
    index, stage = open_page("/polls/"), open_page(f"/polls/{poll}/present")
    for page in (ballot, results, index, stage):
        is_connected(page)
    choice(ballot, "Two").check()
    admin.edit_poll(poll, "What?", [(two, "Two"), (one, "One"), (0, "Three")])
    for page in (ballot, results, index, stage):
        expect(page.get_by_text("What?", exact=True)).to_be_visible()
    expect(results.locator("[data-part=label]")).to_have_text(["Two", "One", "Three"])
    expect(stage.locator("[data-part=label]")).to_have_text(["Two", "One", "Three"])
    expect(ballot.locator("[data-part=label]")).to_have_text(["Two", "One", "Three"])
    expect(choice(ballot, "Two")).to_be_checked()
    choice(ballot, "Three").check()
    ballot.get_by_role("button", name="Vote").click()
    expect(ballot.locator(".bar", has_text="Three")).to_contain_text("1 vote")


def test_a_new_poll_appears_in_open_lists(open_page: OpenPage, admin: Admin) -> None:
    index = open_page("/polls/")
    is_connected(index)
    first = admin.new_poll("Who is new?", "I", "Not I")
    expect(index.locator(f"[data-question='{first}']")).to_contain_text("Who is new?")
    second = admin.new_poll("And who now?", "I", "Still not I")
    expect(index.locator(f"[data-question='{second}']")).to_contain_text("And who now?")


def test_an_empty_list_says_so_and_fills(open_page: OpenPage, admin: Admin) -> None:
    index, home = open_page("/polls/"), open_page("/")
    nothing, heading = index.get_by_text("No polls yet"), home.get_by_role("heading", name="Open now")
    for page in (index, home):
        is_connected(page)
        page.evaluate("document.querySelector('live-fragment').replaceChildren()")  # as when the last poll has gone
    expect(nothing).to_be_visible()
    expect(heading).to_be_hidden()
    poll = admin.new_poll("Anybody?", "Me", "Not me")
    for page in (index, home):
        expect(page.get_by_role("list").get_by_role("listitem").filter(has_text="Anybody?")).to_be_visible()
        expect(page.locator(f"[data-question='{poll}']")).to_have_count(1)
    expect(nothing).to_be_hidden()
    expect(heading).to_be_visible()


def test_closing_and_opening(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Still open?", "Yes", "No")
    ballot, results, index = (open_page(path) for path in (f"/polls/{poll}/", f"/polls/{poll}/results", "/polls/"))
    for page in (ballot, results, index):
        is_connected(page)
    card = index.locator(f"[data-question='{poll}']")
    admin.do(poll, "close")
    expect(ballot.get_by_text("Voting has closed.")).to_be_visible()
    expect(choice(ballot, "Yes")).to_be_disabled()
    expect(ballot.get_by_role("button", name="Vote")).to_be_hidden()
    expect(results.locator("[data-part=state]")).to_have_text("Closed")
    expect(results.get_by_role("link", name="Vote", exact=True)).to_be_hidden()
    expect(card).to_contain_text("Closed")
    admin.do(poll, "open")
    expect(ballot.get_by_text("Voting has closed.")).to_be_hidden()
    expect(choice(ballot, "Yes")).to_be_enabled()
    expect(results.locator("[data-part=state]")).to_have_text("Open")
    expect(card).to_contain_text("Open")
    choice(ballot, "Yes").check()
    ballot.get_by_role("button", name="Vote").click()
    shows_count(results, poll, 1)


def test_a_reset_begins_anew(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Again?", "Yes", "No", may_change=False)
    page = open_page(f"/polls/{poll}/")
    choice(page, "Yes").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.get_by_role("link", name="Vote")).to_be_hidden()
    admin.do(poll, "reset")
    shows_count(page, poll, 0)
    expect(page.locator(".bar").get_by_text("your vote")).to_have_count(2)
    for badge in page.locator("[data-part=mine]").all():
        expect(badge).to_be_hidden()
    page.get_by_role("link", name="Vote", exact=True).click()
    choice(page, "No").check()
    page.get_by_role("button", name="Vote").click()
    shows_count(page, poll, 1)


def test_a_deleted_poll_says_so(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Going?", "Yes", "No")
    ballot, results = open_page(f"/polls/{poll}/"), open_page(f"/polls/{poll}/results")
    for page in (ballot, results):
        is_connected(page)
    admin.do(poll, "delete")
    expect(ballot.get_by_text("This poll was deleted.")).to_be_visible()
    expect(results.locator("[data-part=state]")).to_have_text("Deleted")


def test_the_kind_of_vote_follows(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("How many?", "This", "That")
    this, that = admin.choices(poll)
    page = open_page(f"/polls/{poll}/")
    is_connected(page)
    admin.edit_poll(poll, "How many?", [(this, "This"), (that, "That")], kind="multiple")
    expect(page.get_by_text("Choose as many as you like.")).to_be_visible()
    page.get_by_role("checkbox", name="This").check()
    page.get_by_role("checkbox", name="That").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.locator(".bar", has_text="That")).to_contain_text("100%")


def test_a_frozen_page_is_true_again_when_it_wakes(
    open_page: OpenPage, admin: Admin, someone: Callable[[], Person]
) -> None:
    poll = admin.new_poll("Asleep?", "Yes", "No")
    page = open_page(f"/polls/{poll}/results")
    is_connected(page)
    freeze(page)
    for _ in range(3):
        assert someone().vote(poll, admin.choices(poll)[0]).ok
    thaw(page)
    shows_count(page, poll, 3)


def test_a_page_in_the_background_and_back(open_page: OpenPage, admin: Admin, someone: Callable[[], Person]) -> None:
    poll = admin.new_poll("Hidden tab?", "Yes", "No")
    page = open_page(f"/polls/{poll}/results")
    is_connected(page)
    hide(page)
    assert someone().vote(poll, admin.choices(poll)[0]).ok
    show(page)
    shows_count(page, poll, 1)


def test_leaving_and_coming_back(open_page: OpenPage, admin: Admin, someone: Callable[[], Person]) -> None:
    """Whether the browser kept the page or not: it is true, and follows."""
    poll = admin.new_poll("Back button?", "Yes", "No")
    page = open_page(f"/polls/{poll}/results")
    is_connected(page)
    page.goto("/login")
    assert someone().vote(poll, admin.choices(poll)[0]).ok
    page.go_back()
    shows_count(page, poll, 1)
    is_connected(page)
    assert someone().vote(poll, admin.choices(poll)[0]).ok
    shows_count(page, poll, 2)


def test_a_screen_reader_is_told_how_it_stands(
    open_page: OpenPage, admin: Admin, someone: Callable[[], Person]
) -> None:
    poll = admin.new_poll("Heard?", "Aye", "Nay")
    page = open_page(f"/polls/{poll}/results")
    is_connected(page)
    said = page.locator("[data-behaviour='polls/announce']")
    expect(said).to_have_text("")
    assert someone().vote(poll, admin.choices(poll)[0]).ok
    expect(said).to_have_text("1 voter. Aye leads with 100%.")


def freeze(page: Page) -> None:
    """As a browser does with pages nobody looks at: no script runs, not even a timer."""
    page.context.new_cdp_session(page).send("Page.setWebLifecycleState", {"state": "frozen"})


def thaw(page: Page) -> None:
    page.context.new_cdp_session(page).send("Page.setWebLifecycleState", {"state": "active"})


def hide(page: Page) -> None:
    """Tell the page that another tab is in front."""
    page.evaluate("""() => {
        Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "hidden" });
        document.dispatchEvent(new Event("visibilitychange"));
    }""")


def show(page: Page) -> None:
    page.evaluate("""() => {
        delete document.visibilityState;
        document.dispatchEvent(new Event("visibilitychange"));
    }""")
