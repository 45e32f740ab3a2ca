"""Saving a host's settings: what came of it is in view and has the focus, with and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from rig.live_site import LiveSite
from rig.people import Admin
from tests.browser.agents import HostAgent, agent_of
from tests.browser.axe import serious
from tests.browser.browsing import Troubles
from tests.browser.conftest import OpenPage
from wampflask.apps.monitor import units
from wampflask.router.wire import wait_until

SAVE = "Save and apply"


@pytest.fixture(scope="module")
def agent(site: LiveSite, admin: Admin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostAgent]:
    """A host that has enrolled."""
    with agent_of(site, tmp_path_factory.mktemp("agent") / "state", "web1") as running:
        running.start(admin.new_token())
        address = f"{site.url}/hosts/{running.host}/"
        assert wait_until(lambda: admin.context.request.get(address).ok, 30), running.log()
        yield running
        running.stop()
        admin.post(f"/hosts/{running.host}/remove", f"/hosts/{running.host}/")


@pytest.mark.parametrize("scripts", [True, False])
def test_what_came_of_it_is_in_view(
    open_page: OpenPage, agent: HostAgent, troubles: Troubles, *, scripts: bool
) -> None:
    troubles.expect("422 (UNPROCESSABLE")
    size = {"width": 390, "height": 700}
    page = open_page(f"/hosts/{agent.host}/", as_admin=True, java_script_enabled=scripts, viewport=size)
    page.get_by_label("Report every (seconds)").fill("0.1")
    page.get_by_role("button", name=SAVE).click()
    field = page.get_by_label("Report every (seconds)")
    expect(field).to_be_focused()
    expect(field).to_be_in_viewport()
    expect(field).to_have_accessible_description("Enter 0.5 to 3600 seconds.")
    expect(page.get_by_text("Enter 0.5 to 3600 seconds.")).to_be_in_viewport()
    if scripts:
        assert serious(page) == []
    field.fill("3")
    page.get_by_role("button", name=SAVE).click()
    said = page.locator("#saved")
    expect(said).to_have_text(re.compile(r"^Applied \d\d:\d\d:\d\d UTC\.$"))
    expect(said).to_be_in_viewport()
    expect(said).to_be_focused()


@pytest.mark.parametrize("name", ["percent", "size", "rate", "degrees", "duration"])
def test_the_server_and_the_page_show_numbers_alike(open_page: OpenPage, name: str) -> None:
    values = [None, 0, 0.005, 0.125, 0.375, 0.9999, 1, 9.95, 10, 45.5, 1023, 1024, 10_240, 93_784, 3.5e9, 2.4e10, 7e15]
    page = open_page("/login")
    script = "async ([name, values]) => values.map((await import('/static/js/monitor/units.js'))[name])"
    shown = page.evaluate(script, ["bytes" if name == "size" else name, values])
    assert shown == [getattr(units, name)(value) for value in values]


def test_the_theme_button_shows_where_it_leads(open_page: OpenPage) -> None:
    page = open_page("/admin/alert_rules/", as_admin=True, color_scheme="light")
    button = page.get_by_role("button", name="Dark mode")
    assert visible_icons(page) == ["moon"]
    button.click()
    assert visible_icons(page) == ["sun"]


def visible_icons(page: Page) -> list[str]:
    icons = page.locator("[data-part=theme] svg").all()
    return [(icon.get_attribute("class") or "").rpartition("__")[2] for icon in icons if icon.is_visible()]


def test_an_opened_menu_is_readable_in_the_dark(open_page: OpenPage) -> None:
    page = open_page("/admin/hosts/", as_admin=True, color_scheme="dark")
    page.locator(".nav-tabs .dropdown-toggle", has_text="With selected").click()
    expect(page.locator(".nav-tabs .dropdown-menu.show")).to_be_visible()
    assert serious(page) == []


def test_admin_pages_do_what_inline_handlers_would(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Handlers?", "Yes", "No")
    page = open_page(f"/admin/questions/edit/?id={poll}", as_admin=True)
    page.get_by_role("button", name="Add Choices").click()
    expect(page.locator("#choices-2-label")).to_be_visible()
    page.goto("/admin/questions/?search=Handlers")
    asked: list[str] = []

    def refuse(dialog: object) -> None:
        asked.append(dialog.message)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    page.once("dialog", refuse)
    page.get_by_title("Delete Record").first.click()
    assert asked == ["Are you sure you want to delete this record?"]
    expect(page.get_by_text("Handlers?").first).to_be_visible()
