"""The README's first example, as it is printed: in two windows, by its one command, and by two workers."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.browsing import Troubles, page_in
from tests.browser.readme_shop import ReadmeShop, commands, fences, files, readme_shop
from wampflask import CallFailed
from wampflask.testing import in_memory


@pytest.fixture
def shop() -> Iterator[ReadmeShop]:
    with readme_shop() as made:
        yield made


def window(context: BrowserContext, troubles: Troubles, url: str) -> Page:
    page = page_in(context, troubles)
    troubles.expect("favicon.ico", "status of 404")
    page.goto(url)
    expect(page.locator("html")).to_have_attribute("data-connection", "open", timeout=30_000)
    return page


def buy(page: Page) -> None:
    page.locator("form", has_text="Tea").get_by_role("button").click()


def shows(page: Page, left: int) -> None:
    expect(page.locator("form", has_text="Tea")).to_contain_text(f"Tea: {left} left", timeout=20_000)


def test_buying_in_one_window_changes_the_other(shop: ReadmeShop, context: BrowserContext, troubles: Troubles) -> None:
    shop.develop()
    one, other = (window(context, troubles, shop.url) for _ in range(2))
    shows(other, 12)
    buy(one)
    shows(one, 11)
    shows(other, 11)
    for page in (one, other):
        page.goto("about:blank")
    shop.stop()

    shop.serve()  # the same folder, now by two workers
    one, other = (window(context, troubles, shop.url) for _ in range(2))
    for left in range(10, 4, -1):
        buy(one)
        shows(one, left)
        shows(other, left)


def test_a_table_is_bound_as_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = (block for block in fences("python") if "wamp.bind(" in block)
    (tmp_path / "shop_with_bookings.py").write_text(files()["app.py"] + block)
    monkeypatch.syspath_prepend(tmp_path)
    app = importlib.import_module("shop_with_bookings").create_app()
    with in_memory(app) as realm, realm.page() as page, realm.page() as other:
        page.subscribe("tables.booking..changed")
        made = other.call("tables.booking.create", {"name": "Ann", "seats": 2})
        assert page.heard[-1].args[0]["values"] == {"name": "Ann", "seats": 2}
        with pytest.raises(CallFailed, match="not_allowed"):
            page.call("tables.booking.delete", made["pk"], made["version"])


def test_it_is_as_short_as_the_readme_says() -> None:
    """Five lines of Python make the page live, and one of Jinja."""
    source = files()["app.py"].splitlines()
    live = [line for line in source if "wamp" in line.lower() and not line.startswith("db,")]
    assert len(live) + len(["def items", "return"]) == 5, live
    page = files()["templates/shop.html"]
    assert len(re.findall(r"\{\{ fragment\(", page)) == 1
    assert "<script" not in page
    assert len([line for line in source if line.strip()]) <= 35
    assert [len(commands(line)) for line in ("flask --app app wamp dev", "gunicorn")] == [1, 1]
