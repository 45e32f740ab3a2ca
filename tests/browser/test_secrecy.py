"""Results that are not for everybody yet are in nobody's page, and in nobody's socket."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, WebSocket, expect

from rig.live_site import LiveSite
from rig.people import Admin, Person
from tests.browser.browsing import choice, is_connected, shows_count
from tests.browser.conftest import OpenPage


def overhear(page: Page) -> list[Any]:
    """Everything that the router sends to the page, from now on."""
    heard: list[Any] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: heard.append(json.loads(frame)))

    page.on("websocket", listen)
    return heard


def counts_in(heard: list[Any], poll: int) -> list[Any]:
    """The votes of single choices that were said about ``poll``."""
    states = [value for message in heard for part in message if isinstance(part, list) for value in part]
    about = [state for state in states if isinstance(state, dict) and state.get("question_id") == poll]
    return [choice["votes"] for state in about for choice in state.get("choices", []) if choice["votes"] is not None]


def test_before_the_own_vote(open_page: OpenPage, admin: Admin, site: LiveSite, someone: Callable[[], Person]) -> None:
    poll = admin.new_poll("Secret until you vote?", "Yes", "No", visibility="after_vote")
    yes, no = admin.choices(poll)
    for picked in (yes, yes, no):
        assert someone().vote(poll, picked).ok
    page = open_page("/login")
    heard = overhear(page)
    page.goto(f"/polls/{poll}/results")
    is_connected(page)
    expect(page.get_by_text("You see the results once you have voted.")).to_be_visible()
    assert someone().vote(poll, yes).ok
    shows_count(page, poll, 4)
    assert page.locator(".bar").count() == 0
    told = html.unescape(page.content()) + page.request.get(f"{site.url}/polls/{poll}/snapshot.json").text()
    assert not re.search(r'\b75\s*%|"percent":\s*\d|"votes":\s*\d', told)
    page.goto(f"/polls/{poll}/")
    is_connected(page)
    assert heard
    assert counts_in(heard, poll) == []
    choice(page, "No").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.locator(".bar", has_text="Yes")).to_contain_text("60%")
    assert someone().vote(poll, yes).ok
    shows_count(page, poll, 6)
    expect(page.locator(".bar", has_text="Yes")).to_contain_text("67%")


def test_before_the_end(open_page: OpenPage, admin: Admin, someone: Callable[[], Person]) -> None:
    poll = admin.new_poll("Secret until the end?", "Yes", "No", visibility="after_close")
    page = open_page(f"/polls/{poll}/")
    heard = overhear(page)
    page.reload()
    is_connected(page)
    choice(page, "Yes").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.get_by_text("Results are shown when voting closes.")).to_be_visible()
    assert someone().vote(poll, admin.choices(poll)[1]).ok
    shows_count(page, poll, 2)
    assert heard
    assert counts_in(heard, poll) == []
    admin.do(poll, "close")
    expect(page.locator(".bar", has_text="Yes")).to_contain_text("50%")
    assert set(counts_in(heard, poll)) == {1}


def test_after_a_reset_who_saw_counts_sees_none(
    open_page: OpenPage, admin: Admin, someone: Callable[[], Person]
) -> None:
    """The old round's key opens nothing in the new one."""
    poll = admin.new_poll("Sealed anew?", "Yes", "No", visibility="after_vote")
    page = open_page(f"/polls/{poll}/")
    choice(page, "Yes").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.locator(".bar", has_text="Yes")).to_contain_text("100%")
    admin.do(poll, "reset")
    expect(page.get_by_text("You see the results once you have voted.")).to_be_visible()
    assert someone().vote(poll, admin.choices(poll)[0]).ok
    shows_count(page, poll, 1)
    assert page.locator(".bar").count() == 0


def test_when_the_rule_changes_pages_follow(open_page: OpenPage, admin: Admin, someone: Callable[[], Person]) -> None:
    poll = admin.new_poll("Which rule?", "Yes", "No")
    yes, no = admin.choices(poll)
    assert someone().vote(poll, yes).ok
    page = open_page(f"/polls/{poll}/results")
    is_connected(page)
    expect(page.locator(".bar", has_text="Yes")).to_contain_text("100%")
    admin.edit_poll(poll, "Which rule?", [(yes, "Yes"), (no, "No")], visibility="after_close")
    expect(page.get_by_text("Results are shown when voting closes.")).to_be_visible()
    assert page.locator(".bar").count() == 0
    admin.edit_poll(poll, "Which rule?", [(yes, "Yes"), (no, "No")])
    expect(page.locator(".bar", has_text="Yes")).to_contain_text("100%")
