"""The operator page in a browser: live, on a phone too, and what it does to other people's pages."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect

from rig.live_site import LiveSite
from rig.people import Admin
from tests.browser.axe import serious
from tests.browser.browsing import Troubles, is_connected
from tests.browser.conftest import OpenPage

PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 900}
LIVE = ("", "sessions", "procedures", "topics", "workers", "jobs", "tasks", "errors")
STILL = ("blocks", "follow", "try")


@pytest.fixture
def crowd(site: LiveSite) -> Iterator[str]:
    """Sixty visitors; what their names have in common."""
    mark = secrets.token_hex(6)
    with ExitStack() as stack:
        for number in range(60):
            stack.enter_context(site.node.session("visitor", f"visitor:{mark}{number:02}"))
        yield mark


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_every_section_is_readable(open_page: OpenPage, crowd: str, size: dict[str, int], scheme: str) -> None:
    page = open_page("/ops/", as_admin=True, viewport=size, color_scheme=scheme, reduced_motion="reduce")
    for name in (*LIVE, *STILL):
        page.goto(f"/ops/{name}")
        if name in LIVE:
            is_connected(page)
        expect(page.locator(".ops__tabs [aria-current=page]")).to_have_count(1)
        assert serious(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"


def test_sessions_come_and_go_by_themselves(open_page: OpenPage, site: LiveSite, crowd: str) -> None:
    page = open_page(f"/ops/sessions?text={crowd}", as_admin=True)
    is_connected(page)
    expect(page.locator(".ops__pages")).to_contain_text("1 to 50 of 60")
    with site.node.session("visitor", f"visitor:{crowd}new"):
        expect(page.locator(".ops__pages")).to_contain_text("1 to 50 of 61")
        expect(page.locator("tbody tr")).to_have_count(50)
        expect(page.locator("tbody tr").first).to_contain_text("127.0.0.1")
    expect(page.locator(".ops__pages")).to_contain_text("1 to 50 of 60")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    page.locator("#role").select_option("agent")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No session matches.")).to_be_visible()


def test_somebody_who_is_blocked_reads_why(open_page: OpenPage, admin: Admin, troubles: Troubles) -> None:
    troubles.expect("/wamp/ticket", "403")
    poll = admin.new_poll("Who is loud?", "Nobody", "Everybody")
    reader = open_page(f"/polls/{poll}/")
    is_connected(reader)
    who = reader.evaluate("fetch('/wamp/ticket').then((answer) => answer.json()).then((found) => found.authid)")
    operator = open_page(f"/ops/sessions?text={who}", as_admin=True)
    operator.locator("tbody th a").click()
    operator.get_by_label("Minutes").fill("5")
    operator.get_by_label("Reason (their page shows it)").fill("Too loud for now.")
    operator.get_by_role("button", name="Block…").click()
    operator.get_by_role("button", name="Block", exact=True).click()
    expect(operator.locator(".flash")).to_contain_text("is blocked for 5 minutes.")
    expect(reader.locator("wamp-status")).to_contain_text("Too loud for now.")
    reader.reload()
    expect(reader.locator("wamp-status")).to_contain_text("Too loud for now.")
    operator.get_by_role("button", name=f"Lift the block of {who}").click()
    expect(operator.get_by_text(f"{who} may connect again.")).to_be_visible()
    reader.reload()
    is_connected(reader)


def test_a_session_is_ended_with_a_reason(open_page: OpenPage, site: LiveSite) -> None:
    with site.node.session("visitor", f"visitor:{secrets.token_hex(8)}") as other:
        operator = open_page(f"/ops/sessions/{other.session}", as_admin=True)
        operator.get_by_label("Reason (their page gets it)").fill("A test.")
        operator.get_by_role("button", name="This session…").click()
        operator.get_by_role("button", name="Disconnect", exact=True).click()
        expect(operator.locator(".flash")).to_contain_text(f"Disconnected session {other.session}.")
        assert other.receive(5)[1:] == [{"message": "A test."}, "wampflask.close.disconnected"]


def test_a_worker_is_drained_and_serves_again(open_page: OpenPage) -> None:
    page = open_page("/ops/workers", as_admin=True)
    is_connected(page)
    expect(page.locator(".worker")).to_have_count(2)
    page.locator(".worker").first.get_by_role("button", name="Drain…").click()
    page.get_by_role("button", name="Drain", exact=True).click()
    expect(page.locator(".worker .ops__state", has_text="drained")).to_have_count(1)
    page.get_by_role("button", name="Serve again").click()
    expect(page.locator(".worker .ops__state", has_text="ready")).to_have_count(2)


def follow(page: Page, topic: str, which: str) -> None:
    page.goto("/ops/follow")
    page.get_by_label("Topic", exact=True).fill(topic)
    page.get_by_label(which).check()
    page.get_by_role("button", name="Follow").click()
    page.wait_for_url("**/ops/follow/*")
    is_connected(page)


def test_a_topic_is_followed_as_it_happens(open_page: OpenPage) -> None:
    page = open_page("/ops/", as_admin=True)
    follow(page, "demo.", "All that begin so")
    hand = open_page("/ops/try", of=page)
    hand.get_by_label("Publish").check()
    hand.get_by_label("URI").fill("demo.bam")
    hand.get_by_label("Arguments (a JSON array)").fill('["<b>one</b>", 2]')
    hand.get_by_role("button", name="Send").click()
    expect(hand.get_by_text("The router has it.")).to_be_visible()
    line = page.locator("[data-part=lines] > li")
    expect(line).to_have_count(1)
    expect(line).to_contain_text('"<b>one</b>" 2')
    expect(page.locator("[data-part=seen]")).to_have_text("1")
    hand.get_by_role("button", name="Send").click()
    expect(line).to_have_count(2)
    assert serious(page) == []
    page.reload()
    expect(line).to_have_count(2)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped.")).to_be_visible()
