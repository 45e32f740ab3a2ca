"""The live table in two browsers: edits reach the other, conflicts are shown to the second, nothing is lost."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from rig.live_site import LiveSite
from rig.people import Admin
from tests.browser.axe import serious
from tests.browser.browsing import ROUTER_GONE, Troubles, is_connected
from tests.browser.conftest import OpenPage
from tests.browser.test_names import ATTACKS

PHONE = {"width": 390, "height": 844}


def enter(open_page: OpenPage, **options: Any) -> Page:
    page = open_page("/tables/", **options)
    is_connected(page)
    return page


def add(page: Page, name: str, value: int) -> None:
    """Add a row with the form."""
    form = page.locator("[data-table-part=add]")
    form.get_by_label("Name").fill(name)
    form.get_by_label("Value").fill(str(value))
    form.get_by_role("button", name="Add").click()


def row(page: Page, name: str) -> Locator:
    """The row that has this name now."""
    key = page.wait_for_function(
        "name => [...document.querySelectorAll('[data-table-part=rows] > li')]"
        ".find(item => item.querySelector('[name=name]').value === name)?.dataset.row",
        arg=name,
    ).json_value()
    return page.locator(f"[data-table-part=rows] > li[data-row='{key}']")


def value(item: Locator) -> Locator:
    return item.locator("input[name=value]")


def new_name() -> str:
    return f"row {secrets.token_hex(4)}"


def test_edited_in_one_browser_seen_in_all(open_page: OpenPage) -> None:
    name = new_name()
    anna, ben = enter(open_page), enter(open_page)
    add(anna, name, 3)
    expect(value(row(ben, name))).to_have_value("3")
    value(row(ben, name)).fill("7")
    value(row(ben, name)).press("Enter")
    expect(value(row(anna, name))).to_have_value("7")
    for _ in range(5):
        row(anna, name).get_by_role("button", name="Increase").click()
    expect(value(row(ben, name))).to_have_value("12")
    other = new_name()
    row(ben, name).locator("input[name=name]").fill(f"  {other} ")
    row(ben, f"  {other} ").locator("input[name=name]").press("Enter")
    expect(value(row(anna, other))).to_have_value("12")
    expect(value(row(enter(open_page), other))).to_have_value("12")


def test_conflicts_are_shown_and_not_lost(open_page: OpenPage) -> None:
    name = new_name()
    anna, ben = enter(open_page), enter(open_page)
    add(anna, name, 1)
    mine, theirs = row(ben, name), row(anna, name)
    value(mine).fill("50")  # ben types, and has not saved
    value(theirs).fill("2")
    value(theirs).press("Enter")
    expect(mine.locator("[data-row-part=theirs]")).to_have_text(f"{name} = 2")
    expect(value(mine)).to_have_value("50")  # what ben typed stays
    value(mine).press("Enter")
    expect(value(theirs)).to_have_value("2")  # nothing is sent before ben has chosen
    mine.get_by_role("button", name="Keep mine").click()
    expect(value(theirs)).to_have_value("50")
    expect(mine.locator("[data-row-part=conflict]")).to_be_hidden()
    value(mine).fill("60")
    value(theirs).fill("3")
    value(theirs).press("Enter")
    expect(mine.locator("[data-row-part=conflict]")).to_be_visible()
    mine.get_by_role("button", name="Take theirs").click()
    expect(value(mine)).to_have_value("3")
    expect(mine.locator("[data-row-part=conflict]")).to_be_hidden()


def test_what_was_edited_while_the_router_was_away(
    open_page: OpenPage, site: LiveSite, admin: Admin, troubles: Troubles
) -> None:
    troubles.expect(*ROUTER_GONE)
    name, gone = new_name(), new_name()
    anna = enter(open_page)
    add(anna, name, 1)
    add(anna, gone, 1)
    version = row(anna, name).get_attribute("data-version")
    key = row(anna, name).get_attribute("data-row")
    lost = row(anna, gone).get_attribute("data-row")
    site.node.kill9()
    late = open_page("/tables/")
    expect(late.locator(f"li[data-row='{lost}']")).to_have_count(1)
    value(row(anna, name)).fill("5")
    value(row(anna, name)).press("Enter")
    expect(row(anna, name).locator("[data-row-part=trouble]")).to_contain_text("did not get through")
    answer = admin.post(f"/tables/{key}", "/tables/", name=name, value="9", version=str(version))
    assert answer.ok, answer.text()
    assert admin.post(f"/tables/{lost}/delete", "/tables/", version="1").ok
    site.node.start()
    is_connected(anna)
    expect(row(anna, name).locator("[data-row-part=theirs]")).to_have_text(f"{name} = 9", timeout=20_000)
    expect(value(row(anna, name))).to_have_value("5")
    is_connected(late)
    for page in (anna, late):
        expect(page.locator(f"li[data-row='{lost}']")).to_have_count(0)
    expect(value(row(late, name))).to_have_value("9")
    row(anna, name).get_by_role("button", name="Keep mine").click()
    expect(value(row(enter(open_page), name))).to_have_value("5")


def test_flask_admin_and_forms_reach_pages_too(open_page: OpenPage, admin: Admin) -> None:
    name = new_name()
    page = enter(open_page)
    form = "/admin/integer_values/new/"
    assert admin.post(form, form, name=name, value="4").ok
    expect(value(row(page, name))).to_have_value("4")
    key = row(page, name).get_attribute("data-row")
    form = f"/admin/integer_values/edit/?id={key}"
    assert admin.post(form, form, name=name, value="8").ok
    expect(value(row(page, name))).to_have_value("8")
    assert admin.post(f"/tables/{key}/delete", "/tables/", version="2").ok
    expect(page.locator(f"li[data-row='{key}']")).to_have_count(0)


def test_deleting_is_for_those_who_are_logged_in(open_page: OpenPage) -> None:
    name = new_name()
    anna, admin = enter(open_page), enter(open_page, as_admin=True)
    add(anna, name, 1)
    item = row(anna, name)
    expect(item.get_by_role("button", name="Delete this row")).to_have_count(0)
    row(admin, name).get_by_role("button", name="Delete this row").click()
    dialog = admin.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Delete “{name}”?")
    dialog.get_by_role("button", name="Delete").click()
    expect(item).to_have_count(0)


@pytest.mark.parametrize("attack", ATTACKS)
def test_names_are_text(open_page: OpenPage, attack: str) -> None:
    name = f"{attack[:80]} {secrets.token_hex(3)}"
    anna, ben = enter(open_page), enter(open_page)
    add(anna, name, 1)
    value(row(ben, name)).fill("5")
    value(row(anna, name)).fill("6")
    value(row(anna, name)).press("Enter")
    expect(row(ben, name).locator("[data-row-part=theirs]")).to_have_text(f"{name} = 6")
    late = enter(open_page)
    row(late, name)
    for page in (anna, ben, late):
        assert page.evaluate("window.hacked ?? null") is None
        assert (
            page.locator("main img[src=x], main svg[onload], main script:not([src]), main [onmouseover]").count() == 0
        )


def test_bad_values_are_refused_in_plain_words(open_page: OpenPage) -> None:
    name, taken = new_name(), new_name()
    page = enter(open_page)
    add(page, name, 1)
    row(page, name)
    add(page, taken, 1)
    row(page, taken)
    add(page, name, 2)
    expect(page.locator("[data-table-part=trouble]")).to_contain_text("used already")
    value(row(page, name)).fill("99999999999")
    value(row(page, name)).press("Enter")
    expect(row(page, name).locator("[data-row-part=trouble]")).to_contain_text("whole number")
    value(row(page, name)).press("Escape")
    expect(value(row(page, name))).to_have_value("1")


def test_without_javascript(open_page: OpenPage, troubles: Troubles) -> None:
    troubles.expect("409 (CONFLICT)")
    name = new_name()
    page = open_page("/tables/", java_script_enabled=False)
    add(page, name, 1)
    other = enter(open_page)
    item = row(other, name)
    key = item.get_attribute("data-row")
    value(item).fill("2")
    value(item).press("Enter")
    expect(item).to_have_attribute("data-version", "2")
    plain = page.locator(f"li[data-row='{key}']")
    plain.locator("input[name=value]").fill("3")
    plain.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Someone else changed this row in the meantime")
    expect(plain).to_contain_text(f"{name} = 2")
    expect(plain.locator("input[name=value]")).to_have_value("3")
    plain.get_by_role("button", name="Save").click()
    expect(value(item)).to_have_value("3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page: OpenPage, scheme: str) -> None:
    name = new_name()
    page = enter(open_page, as_admin=True, color_scheme=scheme, reduced_motion="reduce", viewport=PHONE)
    other = enter(open_page)
    add(other, name, 1)
    value(row(page, name)).fill("5")
    value(row(other, name)).fill("6")
    value(row(other, name)).press("Enter")
    expect(row(page, name).locator("[data-row-part=conflict]")).to_be_visible()
    problems = serious(page)
    assert not problems, "\n".join(problems)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
