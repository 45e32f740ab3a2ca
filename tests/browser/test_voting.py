"""Voting: with JavaScript and without, once, changed, and when the network is bad."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Route, expect

from rig.people import Admin, Person
from tests.browser.browsing import Troubles, choice, is_ready, shows_count
from tests.browser.conftest import OpenPage


def test_a_vote_in_one_page_moves_every_page(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Tea or coffee?", "Tea", "Coffee")
    voter = open_page(f"/polls/{poll}/")
    pages = [open_page(path) for path in ("/polls/", "/", f"/polls/{poll}/results", f"/polls/{poll}/present")]
    for page in pages:
        shows_count(page, poll, 0)
    choice(voter, "Coffee").check()
    voter.get_by_role("button", name="Vote").click()
    for page in [voter, *pages]:
        shows_count(page, poll, 1)
    for page in (voter, pages[2], pages[3]):
        bar = page.locator(".bar", has_text="Coffee")
        expect(bar.locator("[data-part=percent]")).to_have_text("100%")
        expect(bar.locator("[data-part=votes]")).to_have_text("1 vote")
        expect(page.locator(".bar", has_text="Tea").locator("[data-part=percent]")).to_have_text("0%")


def test_with_javascript_voting_does_not_load_a_page(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Stay or go?", "Stay", "Go")
    page = open_page(f"/polls/{poll}/")
    is_ready(page)
    page.evaluate("window.same = true")
    choice(page, "Stay").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.get_by_text("Your vote is counted.")).to_be_visible()
    assert page.url.endswith(f"/polls/{poll}/results")
    assert page.evaluate("window.same") is True
    expect(page.locator(".bar", has_text="Stay")).to_contain_text("your vote")
    page.go_back()
    expect(page.get_by_role("button", name="Change my vote")).to_be_visible()


def test_without_javascript(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Paper or screen?", "Paper", "Screen", kind="multiple")
    page = open_page(f"/polls/{poll}/", java_script_enabled=False)
    choice(page, "Paper").check()
    choice(page, "Screen").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.get_by_text("Your vote is counted.")).to_be_visible()
    shows_count(page, poll, 1)
    fill = page.locator(".bar", has_text="Paper").locator("[data-part=fill]")
    assert float(str(fill.get_attribute("width")).rstrip("%")) == 100
    assert fill.evaluate("(rect) => rect.getBoundingClientRect().width") > 100, "the bar has its width without a script"


def test_a_second_vote_is_refused_with_words(open_page: OpenPage, admin: Admin, troubles: Troubles) -> None:
    """Two tabs of one reader, both with the ballot open."""
    troubles.expect("409 (CONFLICT)")
    poll = admin.new_poll("Once only?", "Yes", "No", may_change=False)
    first = open_page(f"/polls/{poll}/")
    first.context.add_init_script(
        "document.addEventListener('poll:state', () => document.documentElement.setAttribute('data-told', ''))"
    )
    second = open_page(f"/polls/{poll}/", of=first)
    expect(second.locator("html[data-told]")).to_be_attached()  # what comes later does not say who voted
    choice(first, "Yes").check()
    first.get_by_role("button", name="Vote").click()
    shows_count(first, poll, 1)
    choice(second, "No").check()
    second.get_by_role("button", name="Vote").click()
    expect(second.get_by_role("alert").filter(has_text="voted")).to_be_visible()
    shows_count(first, poll, 1)
    assert admin.snapshot(poll)["voters"] == 1


def test_a_vote_may_be_changed(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Left or right?", "Left", "Right")
    page = open_page(f"/polls/{poll}/")
    choice(page, "Left").check()
    page.get_by_role("button", name="Vote").click()
    page.get_by_role("link", name="Change my vote").click()
    expect(choice(page, "Left")).to_be_checked()
    choice(page, "Right").check()
    page.get_by_role("button", name="Change my vote").click()
    expect(page.locator(".bar", has_text="Right")).to_contain_text("your vote")
    expect(page.locator(".bar", has_text="Left")).to_contain_text("0 votes")
    shows_count(page, poll, 1)


def test_several_choices_are_counted_by_persons(
    open_page: OpenPage, admin: Admin, someone: Callable[[], Person]
) -> None:
    poll = admin.new_poll("Which days?", "Mon", "Tue", "Wed", kind="multiple")
    mon, tue, _ = admin.choices(poll)
    page = open_page(f"/polls/{poll}/results")
    assert someone().vote(poll, mon, tue).ok
    assert someone().vote(poll, mon).ok
    shows_count(page, poll, 2)
    expect(page.locator(".bar", has_text="Mon")).to_contain_text("100%")
    expect(page.locator(".bar", has_text="Tue")).to_contain_text("50%")


def test_when_the_network_is_bad_the_choice_stays(open_page: OpenPage, admin: Admin, troubles: Troubles) -> None:
    troubles.expect("ERR_INTERNET_DISCONNECTED")
    poll = admin.new_poll("In a tunnel?", "Yes", "No")
    page = open_page(f"/polls/{poll}/")

    def cut(route: Route) -> None:
        if route.request.method == "POST":
            route.abort("internetdisconnected")
        else:
            route.continue_()

    is_ready(page)
    page.route(f"**/polls/{poll}/", cut)
    choice(page, "Yes").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.get_by_role("alert")).to_contain_text("Your choice is still here")
    expect(choice(page, "Yes")).to_be_checked()
    page.unroute(f"**/polls/{poll}/")
    page.get_by_role("button", name="Vote").click()
    shows_count(page, poll, 1)


def test_a_voter_whose_cookies_are_gone_votes_all_the_same(
    open_page: OpenPage, admin: Admin, troubles: Troubles
) -> None:
    troubles.expect("400 (BAD REQUEST)")
    poll = admin.new_poll("Forgetful?", "Yes", "No")
    page = open_page(f"/polls/{poll}/")
    is_ready(page)
    choice(page, "Yes").check()
    page.context.clear_cookies()
    page.get_by_role("button", name="Vote").click()
    expect(page.get_by_text("Your vote is counted.")).to_be_visible()
    shows_count(page, poll, 1)


def test_a_browser_that_keeps_no_cookies_is_told_so(open_page: OpenPage, admin: Admin, troubles: Troubles) -> None:
    troubles.expect("400 (BAD REQUEST)")
    poll = admin.new_poll("Without cookies?", "Yes", "No")
    page = open_page(f"/polls/{poll}/")
    is_ready(page)

    def forget(route: Route) -> None:
        page.context.clear_cookies()
        route.continue_()

    page.route("**/polls/**", forget)
    choice(page, "Yes").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.get_by_role("alert")).to_contain_text("Allow cookies")
    expect(choice(page, "Yes")).to_be_checked()


def test_every_page_shows_the_same_percentages(
    open_page: OpenPage, admin: Admin, someone: Callable[[], Person]
) -> None:
    """1 of 8 is 12.5: whoever rounds by themselves shows something else."""
    poll = admin.new_poll("One of eight?", "One", "Seven")
    one, seven = admin.choices(poll)
    assert someone().vote(poll, one).ok
    for _ in range(6):
        assert someone().vote(poll, seven).ok
    pages = [open_page(f"/polls/{poll}/{path}") for path in ("results", "present")]
    for page in pages:
        shows_count(page, poll, 7)
    assert someone().vote(poll, seven).ok
    rendered = open_page(f"/polls/{poll}/results", java_script_enabled=False)
    for page in (rendered, *pages):
        shows_count(page, poll, 8)
        expect(page.locator("[data-part=percent]")).to_have_text(["12%", "88%"])


def test_a_closed_ballot_promises_nothing(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Still open?", "Yes", "No")
    live = open_page(f"/polls/{poll}/")
    expect(live.get_by_text("You can change your vote later.")).to_be_visible()
    admin.do(poll, "close")
    for page in (live, open_page(f"/polls/{poll}/", java_script_enabled=False)):
        expect(page.get_by_text("Voting has closed.")).to_be_visible()
        expect(page.locator("[data-part=hint]")).to_be_hidden()
    admin.do(poll, "open")
    expect(live.get_by_text("You can change your vote later.")).to_be_visible()


def test_a_vote_by_keyboard_alone(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Mouse or keys?", "Mouse", "Keys")
    page = open_page(f"/polls/{poll}/")
    is_ready(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(choice(page, "Keys")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Vote")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page.locator(".bar", has_text="Keys")).to_contain_text("your vote")


def test_joining_by_code(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("By code?", "Yes", "No")
    code = str(admin.snapshot(poll)["code"])
    page = open_page("/")
    page.get_by_label("Poll code").fill(f" {code.upper()} ")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", name="By code?")).to_be_visible()
