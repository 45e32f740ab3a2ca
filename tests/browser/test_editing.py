"""Making and changing polls, with JavaScript and without, and what stands in the way of losing votes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from rig.people import Admin
from tests.browser.browsing import Troubles, choice, is_ready, shows_count
from tests.browser.conftest import OpenPage


def test_a_new_poll(open_page: OpenPage, admin: Admin) -> None:
    page = open_page("/polls/new", as_admin=True)
    page.get_by_label("Question").fill("Which colour?")
    rows = page.locator(".rows__row")
    for place, label in enumerate(("Red", "Green", "Blue")):
        page.get_by_label(f"Choice {place + 1}", exact=True).fill(label)
    page.get_by_role("button", name="Add a choice").click()
    expect(page.get_by_label("Choice 5", exact=True)).to_be_focused()
    page.keyboard.type("Grey")
    rows.nth(4).get_by_role("button", name="Move choice 5 up").click()
    rows.nth(3).get_by_role("button", name="Move choice 4 up").click()
    rows.nth(0).get_by_role("button", name="Remove choice 1").click()
    expect(rows).to_have_count(4)
    page.get_by_label("Several answers").check()
    page.get_by_role("button", name="Save poll").click()
    expect(page.get_by_role("heading", name="Which colour?")).to_be_visible()
    expect(page.locator("[data-part=label]")).to_have_text(["Green", "Grey", "Blue"])
    expect(page.get_by_role("checkbox", name="Grey")).to_be_visible()
    poll = int(page.url.rstrip("/").rsplit("/", 1)[1])
    assert admin.snapshot(poll)["kind"] == "multiple"


def test_a_new_poll_without_javascript(open_page: OpenPage) -> None:
    page = open_page("/polls/new", as_admin=True, java_script_enabled=False)
    expect(page.get_by_role("button", name="Add a choice")).to_be_hidden()
    page.get_by_label("Question").fill("Plain?")
    page.get_by_label("Choice 1", exact=True).fill("Yes")
    page.get_by_label("Choice 3", exact=True).fill("No")
    page.get_by_role("button", name="Save poll").click()
    expect(page.get_by_role("heading", name="Plain?")).to_be_visible()
    expect(page.locator("[data-part=label]")).to_have_text(["Yes", "No"])


def test_enter_goes_on_to_the_next_choice_and_backspace_back(open_page: OpenPage) -> None:
    page = open_page("/polls/new", as_admin=True)
    is_ready(page)
    rows = page.locator(".rows__row")
    page.get_by_label("Question").fill("Keys only?")
    page.get_by_label("Choice 1", exact=True).focus()
    for place, label in enumerate(("One", "Two", "Three", "Four", "Five")):
        expect(page.get_by_label(f"Choice {place + 1}", exact=True)).to_be_focused()
        page.keyboard.type(label)
        page.keyboard.press("Enter")
    expect(rows).to_have_count(6)
    expect(page.get_by_label("Choice 6", exact=True)).to_be_focused()
    page.keyboard.press("Enter")  # an empty last row is enough
    expect(rows).to_have_count(6)
    page.keyboard.press("Backspace")
    expect(rows).to_have_count(5)
    expect(page.get_by_label("Choice 5", exact=True)).to_be_focused()
    page.keyboard.press("Backspace")
    expect(page.get_by_label("Choice 5", exact=True)).to_have_value("Fiv")
    page.get_by_label("Choice 2", exact=True).press("Enter")  # between two that are filled in
    page.keyboard.type("Two and a half")
    page.get_by_role("button", name="Save poll").click()
    labels = page.locator("[data-part=label]")
    expect(labels).to_have_text(["One", "Two", "Two and a half", "Three", "Four", "Fiv"])


@pytest.mark.parametrize("scripted", [True, False])
def test_a_refused_form_begins_at_its_first_error(open_page: OpenPage, troubles: Troubles, *, scripted: bool) -> None:
    troubles.expect("422 (UNPROCESSABLE", "200 (OK)")
    page = open_page("/polls/new", as_admin=True, java_script_enabled=scripted)
    page.get_by_label("Choice 1", exact=True).fill("Alone")
    page.get_by_role("button", name="Save poll").click()
    expect(page.get_by_label("Question")).to_be_focused()
    expect(page.locator("[autofocus]")).to_have_count(1)
    page.get_by_label("Question").fill("Enough?")
    page.get_by_role("button", name="Save poll").click()
    second = page.get_by_label("Choice 2", exact=True)
    expect(second).to_be_focused()
    expect(second).to_have_accessible_description("Add at least two choices.")
    second.fill("alone")
    page.get_by_role("button", name="Save poll").click()
    expect(second).to_be_focused()
    expect(second).to_have_accessible_description("Two choices have the same text.")
    second.fill("Together")
    page.get_by_role("button", name="Save poll").click()
    expect(page.locator("[data-part=label]")).to_have_text(["Alone", "Together"])


def test_a_failed_log_in_begins_at_the_error(open_page: OpenPage, troubles: Troubles) -> None:
    troubles.expect("200 (OK)")
    page = open_page("/login")
    page.get_by_label("Email address").fill("nobody@example.org")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_focused()


def test_what_is_missing_is_said(open_page: OpenPage, troubles: Troubles) -> None:
    troubles.expect("422 (UNPROCESSABLE")
    page = open_page("/polls/new", as_admin=True)
    page.get_by_label("Choice 1", exact=True).fill("Alone")
    page.get_by_role("button", name="Save poll").click()
    expect(page.locator("#text")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("Add at least two choices.")).to_be_visible()
    expect(page.get_by_label("Choice 1", exact=True)).to_have_value("Alone")


def test_choices_with_votes_stay(open_page: OpenPage, admin: Admin, troubles: Troubles) -> None:
    troubles.expect("409 (CONFLICT)")
    poll = admin.new_poll("Removed?", "Kept", "Unused", "Other")
    voter = open_page(f"/polls/{poll}/")
    choice(voter, "Kept").check()
    voter.get_by_role("button", name="Vote").click()
    page = open_page(f"/polls/{poll}/edit", as_admin=True)
    expect(page.get_by_text("1 person has voted.")).to_be_visible()
    expect(page.get_by_label("Choice 1", exact=True)).to_have_value("Kept")
    is_ready(page)
    page.get_by_role("button", name="Remove choice 1").click()
    page.get_by_role("button", name="Save poll").click()
    expect(page.get_by_role("alert")).to_be_visible()
    shows_count(voter, poll, 1)
    expect(voter.locator("[data-part=label]")).to_have_text(["Kept", "Unused", "Other"])


def test_closing_from_the_page(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Close me?", "Yes", "No")
    page = open_page(f"/polls/{poll}/results", as_admin=True)
    page.get_by_role("button", name="Close voting").click()
    expect(page.locator("[data-part=state]")).to_have_text("Closed")
    expect(page.get_by_role("button", name="Open voting")).to_be_visible()
    expect(page.get_by_role("button", name="Close voting")).to_be_hidden()
    admin.do(poll, "open")
    expect(page.get_by_role("button", name="Close voting")).to_be_visible()


def test_reset_asks_first(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Sure?", "Yes", "No")
    voter = open_page(f"/polls/{poll}/")
    choice(voter, "Yes").check()
    voter.get_by_role("button", name="Vote").click()
    shows_count(voter, poll, 1)
    page = open_page(f"/polls/{poll}/", as_admin=True)
    page.get_by_role("link", name="Delete all votes…").click()
    expect(page.get_by_text("1 person has voted")).to_be_visible()
    page.get_by_role("link", name="Cancel").click()
    shows_count(voter, poll, 1)
    page.get_by_role("link", name="Delete all votes…").click()
    page.get_by_role("button", name="Delete all votes").click()
    shows_count(voter, poll, 0)


def test_the_tools_are_for_admins(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Mine?", "Yes", "No")
    page = open_page(f"/polls/{poll}/")
    expect(page.get_by_role("link", name="Edit")).to_have_count(0)
    page.goto(f"/polls/{poll}/edit")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
