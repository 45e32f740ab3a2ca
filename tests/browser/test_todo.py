"""examples/todo in three browsers, by its one command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.browser.browsing import Troubles, leave, page_in
from tests.browser.developed import developed, folder_for_router

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def url() -> Iterator[str]:
    """The example in a folder of its own, started as its first line says."""
    with folder_for_router() as folder:
        shutil.copytree(ROOT / "examples" / "todo", folder, dirs_exist_ok=True)
        with developed(folder) as url:
            yield url


@pytest.fixture
def people(url: str, browser: Browser, troubles: Troubles) -> Iterator[list[Page]]:
    """Pages of ann, bob and cleo, each logged in with cookies of their own."""
    pages = []
    for name in ("ann", "bob", "cleo"):
        context = browser.new_context(base_url=url)
        context.set_default_timeout(20_000)
        page = page_in(context, troubles)
        page.goto("/")
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("html")).to_have_attribute("data-connection", "open", timeout=20_000)
        pages.append(page)
    yield pages
    for page in pages:
        leave(page.context)


def test_a_day_of_a_team(people: list[Page]) -> None:
    ann, bob, cleo = people
    expect(ann.locator("#here")).to_have_text("ann, bob", timeout=20_000)
    expect(cleo.locator("#here")).to_have_text("cleo", timeout=20_000)

    ann.get_by_label("New").fill("milk")
    ann.get_by_role("button", name="Add").click()
    expect(bob.locator("live-fragment")).to_contain_text("☐ milk", timeout=20_000)
    expect(cleo.locator("live-fragment")).to_contain_text("Nothing to do.")

    bob.get_by_role("button", name="Finish all").click()
    expect(ann.locator("live-fragment")).to_contain_text("☑ milk", timeout=20_000)

    asked: list[str] = []

    def agree(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    ann.once("dialog", agree)
    ann.get_by_role("button", name="Clear").click()
    expect(bob.locator("live-fragment")).to_contain_text("Nothing to do.", timeout=20_000)
    assert asked == ["Delete what is done?"]

    ann.get_by_label("Invite").fill("cleo")
    ann.get_by_role("button", name="Invite").click()
    expect(cleo.locator("#notice")).to_have_text("You are in the team Kitchen now", timeout=20_000)
    cleo.goto("/teams/1")
    expect(bob.locator("#here")).to_contain_text("cleo", timeout=20_000)
