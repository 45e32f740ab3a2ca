"""Whatever people write is text: no name becomes markup, in no page, live or loaded."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from rig.people import Admin
from tests.browser.browsing import choice, is_connected
from tests.browser.conftest import OpenPage

ATTACKS = (
    '<img src=x onerror="window.hacked = true">',
    '"><script>window.hacked = true</script>',
    "' onmouseover='window.hacked = true' x='",
    "</title></template><svg onload=window.hacked=true>",
    "{{ 7 * 7 }} ${window.hacked = true} javascript:window.hacked=true",
)


def is_unharmed(page: Page) -> None:
    page.mouse.move(200, 200)
    assert page.evaluate("window.hacked ?? null") is None
    assert page.locator("main img[src=x], main svg[onload], main script, main [onmouseover]").count() == 0


@pytest.mark.parametrize("attack", ATTACKS)
def test_names_are_text(open_page: OpenPage, admin: Admin, attack: str) -> None:
    calm = admin.new_poll("Calm", "A", "B")
    first, second = admin.choices(calm)
    ballot, results = open_page(f"/polls/{calm}/"), open_page(f"/polls/{calm}/results")
    index, stage = open_page("/polls/"), open_page(f"/polls/{calm}/present")
    for page in (ballot, results, index, stage):
        is_connected(page)
    admin.edit_poll(calm, attack, [(first, attack + "1"), (second, attack + "2"), (0, attack + "3")])
    for page in (ballot, results, index, stage):
        expect(page.get_by_text(attack, exact=True).first).to_be_visible()
        is_unharmed(page)
    expect(results.locator("[data-part=label]")).to_have_text([attack + "1", attack + "2", attack + "3"])
    choice(ballot, attack + "3").check()
    ballot.get_by_role("button", name="Vote").click()
    expect(ballot.locator(".bar").nth(2)).to_contain_text("your vote")
    is_unharmed(ballot)
    for path in ("/", f"/polls/{calm}/", f"/polls/{calm}/results", f"/polls/{calm}/present"):
        results.goto(path)
        expect(results.get_by_text(attack, exact=True).first).to_be_visible()
        is_unharmed(results)
    office = open_page(f"/polls/{calm}/edit", as_admin=True)
    expect(office.locator("#text")).to_have_value(attack)
    for path in (f"/polls/{calm}/reset", f"/admin/questions/?search={calm}", f"/admin/questions/edit/?id={calm}"):
        office.goto(path)
        assert office.evaluate("window.hacked ?? null") is None
    admin.do(calm, "delete")
