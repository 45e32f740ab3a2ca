"""``{{ live_table(…) }}`` in an app without JavaScript of its own, under a policy without inline styles and scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.axe import serious
from tests.browser.browsing import Troubles, is_connected, leave, page_in
from tests.browser.table_site import Colour, Item, TableSite, Todo, serving
from wampflask.testing import RouterNode

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TableSite]:
    folder = tmp_path_factory.mktemp("stock")
    with RouterNode(follow_workers=True) as node, serving(node, folder) as site:
        yield site


@pytest.fixture
def enter(stock: TableSite, browser: Browser, troubles: Troubles) -> Iterator[Open]:
    """Open the page with this Jinja, as somebody of this team."""
    contexts = []

    def entered(jinja: str = "{{ live_table(stock) }}", team: str = "0", **options: Any) -> Page:
        stock.jinja = jinja
        context = browser.new_context(base_url=stock.url, **options)
        context.add_cookies([{"name": "team", "value": team, "url": stock.url}])
        contexts.append(context)
        page = page_in(context, troubles)
        page.goto("/")
        if options.get("java_script_enabled", True):
            is_connected(page)
        return page

    yield entered
    for context in contexts:
        leave(context)


def make(stock: TableSite, **values: Any) -> int:
    """A row; its key."""

    def work(session: Any) -> int:
        item = Item(**values)
        session.add(item)
        session.flush()
        return int(item.id)

    return int(stock.do(work))


def row(page: Page, key: int) -> Locator:
    return page.locator(f"tr[data-row='{key}']")


def cell(page: Page, key: int, label: str) -> Locator:
    return row(page, key).get_by_label(label)


def stored(stock: TableSite, key: int) -> Item:
    def work(session: Any) -> Item:
        item: Item = session.get_one(Item, key)
        session.expunge(item)
        return item

    item: Item = stock.do(work)
    return item


def test_two_windows_edit_one_table(stock: TableSite, enter: Open) -> None:
    anna, ben = enter(), enter()
    form = anna.get_by_role("form", name="Add a row")
    form.get_by_label("Name").fill("tea")
    form.get_by_label("Left").fill("3")
    form.get_by_role("button", name="Add").click()
    added = ben.locator("tbody tr").last
    expect(added.get_by_label("Name")).to_have_value("tea")
    key = int(added.get_attribute("data-row") or 0)
    expect(cell(anna, key, "Name")).to_be_editable()
    cell(anna, key, "Left").fill("4")
    cell(anna, key, "Left").press("Enter")
    expect(cell(ben, key, "Left")).to_have_value("4")

    cell(ben, key, "Left").fill("50")  # ben types, and has not saved
    cell(anna, key, "Left").fill("5")
    cell(anna, key, "Left").press("Enter")
    alert = row(ben, key).get_by_role("alert").filter(has_text="Someone else changed this row")
    expect(alert.locator("[data-difference]:visible")).to_have_text(["Left: 5"])
    expect(cell(ben, key, "Left")).to_have_value("50")  # what ben typed stays
    assert stored(stock, key).left == 5
    row(ben, key).get_by_role("button", name="Keep mine").click()
    expect(cell(anna, key, "Left")).to_have_value("50")
    expect(alert).to_be_hidden()

    cell(ben, key, "Left").fill("60")
    cell(anna, key, "Name").fill("green tea")
    cell(anna, key, "Name").press("Enter")
    row(ben, key).get_by_role("button", name="Take theirs").click()
    expect(cell(ben, key, "Left")).to_have_value("50")
    expect(cell(ben, key, "Name")).to_have_value("green tea")

    cell(ben, key, "Name").fill("black tea")
    row(anna, key).get_by_role("button", name="Delete").click()
    dialog = anna.get_by_role("dialog")
    expect(dialog).to_contain_text("green tea")
    dialog.get_by_role("button", name="Cancel").click()
    expect(row(anna, key)).to_have_count(1)
    row(anna, key).get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(row(anna, key)).to_have_count(0)
    expect(row(ben, key)).to_contain_text("still here to copy")
    expect(cell(ben, key, "Name")).to_have_value("black tea")


def test_keeping_mine_keeps_what_i_did_not_touch(stock: TableSite, enter: Open) -> None:
    key = make(stock, name="oil", left=1)
    page = enter()
    cell(page, key, "Left").fill("9")

    def rename(session: Any) -> None:
        session.get_one(Item, key).name = "olive oil"

    stock.do(rename)
    row(page, key).get_by_role("button", name="Keep mine").click()
    expect(cell(page, key, "Name")).to_have_value("olive oil")
    expect(row(page, key)).to_have_attribute("data-version", "3")
    assert (stored(stock, key).name, stored(stock, key).left) == ("olive oil", 9)


def test_every_type_is_shown_and_written(stock: TableSite, enter: Open) -> None:
    key = make(stock, name="cup", price=1.5)
    page, other = enter(), enter()
    cell(page, key, "Sold").check()
    cell(page, key, "Since").fill("2026-01-31")
    cell(page, key, "Since").press("Enter")
    expect(row(other, key)).to_have_attribute("data-version", "3")
    cell(page, key, "Colour").select_option("blue")
    cell(page, key, "Price").fill("2.25")
    cell(page, key, "Price").press("Enter")
    expect(cell(other, key, "Price")).to_have_value("2.25")
    expect(cell(other, key, "Sold")).to_be_checked()
    expect(cell(other, key, "Since")).to_have_value("2026-01-31")
    expect(cell(other, key, "Colour")).to_have_value('"blue"')
    now = stored(stock, key)
    assert (now.price, now.sold, str(now.since), now.colour) == (2.25, True, "2026-01-31", Colour.BLUE)
    cell(other, key, "Price").fill("")
    cell(other, key, "Price").press("Enter")
    cell(other, key, "Colour").select_option("")
    expect(cell(page, key, "Colour")).to_have_value("")
    expect(cell(page, key, "Price")).to_have_value("")
    assert (stored(stock, key).price, stored(stock, key).colour) == (None, None)


def test_what_is_no_value_is_said_and_stays(stock: TableSite, enter: Open) -> None:
    key = make(stock, name="pot", left=1)
    page = enter()
    left = cell(page, key, "Left")
    left.fill("")
    left.press_sequentially("-")
    left.press("Enter")
    expect(row(page, key).locator("[data-row-part=trouble]")).not_to_be_empty()
    expect(left).to_have_attribute("aria-invalid", "true")
    left.press("Escape")
    expect(left).to_have_value("1")
    left.fill("99999999999")
    left.press("Enter")
    expect(row(page, key)).to_contain_text("whole number between")
    expect(left).to_have_value("99999999999")
    assert stored(stock, key).left == 1


def test_a_row_that_may_not_be_changed_is_for_reading(stock: TableSite, enter: Open) -> None:
    locked = make(stock, name="safe", owner="locked")
    page = enter()
    expect(cell(page, locked, "Name")).not_to_be_editable()
    expect(row(page, locked).get_by_role("button", name="Delete")).to_be_hidden()
    late, free = make(stock, name="late safe", owner="locked"), make(stock, name="late cup")
    expect(cell(page, free, "Name")).to_be_editable()  # what the event did not say was asked for
    expect(cell(page, late, "Name")).not_to_be_editable()


def test_columns_labels_caption_and_texts(stock: TableSite, enter: Open) -> None:
    key = make(stock, name="spoon", left=2)
    options = 'columns=["left", "name"], labels={"left": "In stock"}, editable=["left"], add=False, caption="Shop"'
    page = enter("{{ live_table(stock, " + options + ', texts={"delete": "Remove"}) }}')
    assert page.get_by_role("columnheader").all_inner_texts()[:2] == ["In stock", "Name"]
    expect(page.get_by_role("table", name="Shop")).to_be_visible()
    expect(page.get_by_role("form")).to_have_count(0)
    expect(row(page, key).get_by_role("textbox")).to_have_count(0)
    expect(row(page, key).get_by_role("button", name="Remove")).to_be_visible()
    cell(page, key, "In stock").fill("3")
    cell(page, key, "In stock").press("Enter")
    expect(row(page, key)).to_have_attribute("data-version", "2")


def test_without_javascript_it_can_be_read(stock: TableSite, enter: Open) -> None:
    key = make(stock, name="bowl", left=7)
    page = enter("{{ live_table(stock) }}", java_script_enabled=False)
    expect(cell(page, key, "Name")).to_have_value("bowl")
    expect(row(page, key).get_by_role("button")).to_have_count(0)
    page = enter("{{ live_table(stock, editable=False) }}", java_script_enabled=False)
    expect(row(page, key)).to_contain_text("bowl")


def test_a_page_that_only_reads_follows(stock: TableSite, enter: Open) -> None:
    key = make(stock, name="plate", left=1)
    page = enter("{{ live_table(stock, editable=False) }}")
    expect(page.locator("input, button, select")).to_have_count(0)

    def sell(session: Any) -> None:
        item = session.get_one(Item, key)
        item.left, item.sold = 0, True

    stock.do(sell)
    expect(row(page, key).locator("[data-field=left]")).to_have_text("0")
    expect(row(page, key).locator("[data-field=sold]")).to_have_text("yes")


def test_a_team_sees_its_rows_and_a_row_moves(stock: TableSite, enter: Open) -> None:
    jinja = '{{ live_table(todos, group=1, labels={"text": "What"}) }}{{ live_table(todos, group=2) }}'
    one, two = enter(jinja, team="1"), enter(jinja, team="2")
    for page in (one, two):
        expect(page.locator("live-table")).to_have_count(1)  # the other team's is not there
    form = one.get_by_role("form")
    form.get_by_label("What").fill("milk")
    form.get_by_role("button", name="Add").click()
    expect(one.locator("tbody tr")).to_have_count(1)

    def move(session: Any) -> None:
        session.query(Todo).one().team_id = 2

    stock.do(move)
    expect(two.locator("tbody tr").get_by_label("Text")).to_have_value("milk")
    expect(one.locator("tbody tr")).to_have_count(0)


def test_page_by_page(stock: TableSite, enter: Open) -> None:
    keys = [make(stock, name=f"part {number}") for number in range(5)]
    begin = keys[0] - 1
    page = enter("{{ live_table(stock, limit=2) }}")
    page.goto(f"/?item_after={begin}")
    is_connected(page)
    expect(page.locator("tbody tr")).to_have_count(2)

    def work(session: Any) -> None:
        session.get_one(Item, keys[1]).left = 8
        session.get_one(Item, keys[4]).left = 8
        session.delete(session.get_one(Item, keys[0]))

    stock.do(work)
    expect(cell(page, keys[1], "Left")).to_have_value("8")
    expect(row(page, keys[2])).to_have_count(1)  # it comes up
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Next page").click()
    expect(page.locator("tbody tr").first).to_have_attribute("data-row", str(keys[2]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_a_phone(stock: TableSite, enter: Open, scheme: str) -> None:
    key = make(stock, name="fork", left=1)
    page = enter(color_scheme=scheme, viewport={"width": 390, "height": 844})
    cell(page, key, "Left").fill("5")

    def sell(session: Any) -> None:
        session.get_one(Item, key).left = 0

    stock.do(sell)
    expect(row(page, key).get_by_role("button", name="Keep mine")).to_be_visible()
    problems = serious(page)
    assert not problems, "\n".join(problems)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
