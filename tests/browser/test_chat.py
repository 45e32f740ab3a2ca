"""Two pages in a room: what one says the other shows, in order, once, whatever happens to the connection."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from rig.live_site import LiveSite
from rig.people import Person
from tests.browser.axe import serious
from tests.browser.browsing import ROUTER_GONE, Troubles, is_connected
from tests.browser.conftest import OpenPage
from tests.browser.test_names import ATTACKS
from wampflask.apps.chat.links import pieces

PHONE = {"width": 390, "height": 844}


def new_room() -> str:
    """The address of a room that nobody has been in."""
    return f"/chat/room-{secrets.token_hex(6)}/"


def is_in(page: Page) -> None:
    """Wait until the page has entered its room."""
    is_connected(page)
    expect(page.locator("[data-behaviour='chat/room']")).to_have_attribute("data-entered", "true", timeout=20_000)


def say(page: Page, text: str) -> None:
    """Write something and press Enter."""
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_label("Message", exact=True).press("Enter")


def texts(page: Page) -> list[str]:
    """What the page shows, from the top."""
    return page.locator("[data-part=log] [data-part=text]").all_inner_texts()


def enter(open_page: OpenPage, room: str, **options: Any) -> Page:
    page = open_page(room, **options)
    is_in(page)
    return page


def test_what_one_says_the_other_reads(open_page: OpenPage) -> None:
    room = new_room()
    anna, ben = enter(open_page, room), enter(open_page, room)
    say(anna, "Good morning")
    expect(ben.locator("[data-part=log]")).to_contain_text("Good morning")
    say(ben, "Hello\nthere")
    expect(anna.locator("[data-part=log]")).to_contain_text("there")
    for page in (anna, ben):
        assert texts(page) == ["Good morning", "Hello\nthere"]
    expect(anna.get_by_label("Message", exact=True)).to_have_value("")
    assert anna.evaluate("document.activeElement.name") == "text"
    late = enter(open_page, room)
    assert texts(late) == ["Good morning", "Hello\nthere"]


def test_who_is_here_and_who_is_typing(open_page: OpenPage) -> None:
    room = new_room()
    anna, ben = enter(open_page, room), enter(open_page, room)
    people = ben.locator("[data-part=people] li")
    expect(people).to_have_count(2)
    again = enter(open_page, room, of=anna)
    expect(people).to_have_count(2)  # one entry a person, however many pages
    anna.get_by_text("Change").click()
    anna.get_by_label("Your name").fill("Anna")
    anna.get_by_role("button", name="Save name").click()
    expect(ben.locator("[data-part=people]")).to_contain_text("Anna")
    anna.get_by_label("Message", exact=True).press_sequentially("wait")
    expect(ben.locator("[data-part=typing]")).to_have_text("Anna is typing…")
    expect(again.locator("[data-part=typing]")).to_have_text("")
    anna.get_by_label("Message", exact=True).press("Enter")
    expect(ben.locator("[data-part=log]")).to_contain_text("Anna")
    expect(ben.locator("[data-part=typing]")).to_have_text("")
    again.close()
    expect(people).to_have_count(2)
    anna.close()
    expect(people).to_have_count(1, timeout=15_000)  # a reload is no leaving


def test_the_router_dies_while_people_write(open_page: OpenPage, site: LiveSite, troubles: Troubles) -> None:
    troubles.expect(*ROUTER_GONE)
    room = new_room()
    anna, ben = enter(open_page, room), enter(open_page, room)
    say(anna, "one")
    expect(ben.locator("[data-part=log]")).to_contain_text("one")
    site.node.kill9()
    say(anna, "two")
    say(ben, "three")
    expect(anna.locator("[data-part=pending]")).to_contain_text("two")
    site.node.start()
    for page in (anna, ben):
        is_connected(page)
        expect(page.locator("[data-part=log] li")).to_have_count(3, timeout=30_000)
        expect(page.locator("[data-part=pending]")).to_be_hidden()
    assert texts(anna) == texts(ben)
    assert sorted(texts(anna)) == ["one", "three", "two"]
    expect(ben.locator("[data-part=people] li")).to_have_count(2, timeout=15_000)


@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_people_write_is_text(open_page: OpenPage, attack: str) -> None:
    room = new_room()
    anna, ben = enter(open_page, room), enter(open_page, room)
    say(anna, attack)
    expect(ben.locator("[data-part=log]")).to_contain_text(attack)
    anna.get_by_text("Change").click()
    anna.get_by_label("Your name").fill(attack[:30])
    anna.get_by_role("button", name="Save name").click()
    expect(ben.locator("[data-part=people]")).to_contain_text(attack[:30].strip())
    say(anna, "and again")
    expect(ben.locator("[data-part=log]")).to_contain_text("and again")  # who has said it is not typing any more
    anna.get_by_label("Message", exact=True).press_sequentially("x")
    expect(ben.locator("[data-part=typing]")).to_contain_text("is typing")
    late = enter(open_page, room)
    for page in (anna, ben, late):
        expect(page.locator("[data-part=log] [data-part=text]").first).to_have_text(attack)
        assert page.evaluate("window.hacked ?? null") is None
        assert page.locator("main img[src=x], main svg[onload], main script, main [onmouseover]").count() == 0


def test_links_are_links_the_same_in_both_languages(open_page: OpenPage) -> None:
    room = new_room()
    page = enter(open_page, room)
    samples = (
        "see https://example.org/a_(b)?x=1&y=2, (http://example.org/c). Done",
        "https://example.org/ä?q=[1]#x! and “https://example.com/quoted”",
        "javascript:alert(1) data:text/html,x https:// ftp://example.org http://[::1]/x]",
        "https://example.org/<b>'https://example.org/\"onclick",
    )
    cut = page.evaluate(
        "async (texts) => { const links = await import('/static/js/chat/links.js'); return texts.map(links.pieces); }",
        samples,
    )
    assert [[tuple(piece) for piece in found] for found in cut] == [list(pieces(text)) for text in samples]
    say(page, samples[0])
    link = page.locator("[data-part=log] a").first
    expect(link).to_have_attribute("href", "https://example.org/a_(b)?x=1&y=2")
    expect(link).to_have_attribute("rel", "nofollow noopener noreferrer")
    page.reload()
    expect(page.locator("[data-part=log] a").first).to_have_attribute("href", "https://example.org/a_(b)?x=1&y=2")


def act(page: Page, text: str, what: str) -> None:
    """Do something with the message that has this text."""
    message = page.locator("[data-part=log] > li").filter(has_text=text)
    message.locator("summary").click()
    message.get_by_role("button", name=what).click()
    if what != "Edit":
        page.get_by_role("dialog").get_by_role("button", name=what).click()


def test_own_messages_are_edited_and_deleted(open_page: OpenPage) -> None:
    room = new_room()
    anna, ben = enter(open_page, room), enter(open_page, room)
    say(anna, "frist")
    expect(ben.locator("[data-part=log]")).to_contain_text("frist")
    expect(ben.locator("[data-part=log] details")).to_be_hidden()  # not ben's
    act(anna, "frist", "Edit")
    anna.get_by_label("New text").fill("first")
    anna.get_by_role("button", name="Save message").click()
    expect(ben.locator("[data-part=text]")).to_have_text("first")
    expect(ben.locator("[data-part=log] [data-part=edited]")).to_be_visible()
    act(anna, "first", "Delete")
    expect(ben.locator("[data-part=text]")).to_have_text("This message was deleted.")
    expect(anna.locator("[data-part=log] details")).to_be_hidden()


def test_a_banned_page_hears_nothing_from_then_on(open_page: OpenPage, troubles: Troubles) -> None:
    troubles.expect("403 (FORBIDDEN)")
    room = new_room()
    victim, friend = enter(open_page, room), enter(open_page, room)
    moderator = enter(open_page, room, as_admin=True)
    frames: list[str] = []
    cdp = victim.context.new_cdp_session(victim)
    cdp.send("Network.enable")
    cdp.on("Network.webSocketFrameReceived", lambda event: frames.append(event["response"]["payloadData"]))
    say(victim, "spam")
    expect(moderator.locator("[data-part=log]")).to_contain_text("spam")
    act(moderator, "spam", "Ban")
    expect(moderator.locator("[data-part=sanctioned] li")).to_have_count(1)
    expect(moderator.locator("[data-part=people] li")).to_have_count(2)
    expect(victim.locator("[data-part=shut]")).to_have_text("You were banned from this room.")
    expect(victim.get_by_label("Message", exact=True)).to_be_disabled()
    expect(friend.locator("[data-part=people] li")).to_have_count(2)
    say(moderator, "a secret of ours")
    expect(friend.locator("[data-part=log]")).to_contain_text("a secret of ours")
    say(friend, "another secret")
    expect(moderator.locator("[data-part=log]")).to_contain_text("another secret")
    assert frames, "nothing was listened to"
    assert not any("secret" in frame for frame in frames)
    assert "secret" not in victim.locator("main").inner_text()
    victim.reload()
    expect(victim.locator("main")).to_contain_text("You were banned from this room.")
    moderator.get_by_role("button", name="Unban").click()
    expect(moderator.locator("[data-part=sanctions]")).to_be_hidden()
    victim.reload()
    is_in(victim)
    expect(victim.locator("[data-part=log]")).to_contain_text("another secret")


def test_the_muted_are_told_at_once_and_lose_no_text(open_page: OpenPage) -> None:
    room = new_room()
    anna, friend = enter(open_page, room), enter(open_page, room)
    moderator = enter(open_page, room, as_admin=True)
    frames: list[str] = []
    cdp = friend.context.new_cdp_session(friend)
    cdp.send("Network.enable")
    cdp.on("Network.webSocketFrameReceived", lambda event: frames.append(event["response"]["payloadData"]))
    say(anna, "noise")
    expect(moderator.locator("[data-part=log]")).to_contain_text("noise")
    field, notice = anna.get_by_label("Message", exact=True), anna.locator("[data-part=muted]")
    field.press_sequentially("more noise")
    act(moderator, "noise", "Mute")
    expect(notice).to_contain_text("You are muted here until")
    expect(field).to_be_disabled()
    expect(anna.get_by_role("button", name="Send")).to_be_disabled()
    expect(field).to_have_value("more noise")
    anna.reload()  # a page that comes later says so from the beginning, and goes on when it is live
    expect(notice).to_contain_text("You are muted here")
    is_in(anna)
    expect(notice).to_contain_text("until")
    moderator.get_by_role("button", name="Unmute").click()
    expect(moderator.locator("[data-part=sanctions]")).to_be_hidden()
    expect(notice).to_be_hidden()
    expect(field).to_be_enabled()
    say(anna, "sorry")
    expect(friend.locator("[data-part=log]")).to_contain_text("sorry")
    assert any("sorry" in frame for frame in frames)
    assert not any('"seconds"' in frame for frame in frames), "a mute is between the moderator and the muted"


def test_a_mute_ends_by_itself_and_gives_the_focus_back(open_page: OpenPage) -> None:
    room = new_room()
    anna, moderator = enter(open_page, room), enter(open_page, room, as_admin=True)
    say(anna, "noise")
    expect(moderator.locator("[data-part=log]")).to_contain_text("noise")
    anna.clock.install()
    field = anna.get_by_label("Message", exact=True)
    field.focus()
    act(moderator, "noise", "Mute")
    expect(field).to_be_disabled()
    anna.clock.fast_forward("14:30")
    expect(field).to_be_disabled()
    anna.clock.fast_forward("00:40")
    expect(field).to_be_enabled()
    expect(field).to_be_focused()


def test_who_does_not_agree_moderates_nobody(open_page: OpenPage) -> None:
    room = new_room()
    anna, moderator = enter(open_page, room), enter(open_page, room, as_admin=True)
    say(anna, "noise")
    message = moderator.locator("[data-part=log] > li").filter(has_text="noise")
    dialog = moderator.get_by_role("dialog")
    for what in ("Mute", "Ban", "Delete"):
        message.locator("summary").click()
        message.get_by_role("button", name=what).click()
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        moderator.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
    expect(moderator.locator("[data-part=sanctions]")).to_be_hidden()
    say(anna, "still here")
    expect(moderator.locator("[data-part=log]")).to_contain_text("still here")
    expect(message.first).to_contain_text("noise")


def test_who_writes_too_fast_is_told_and_loses_nothing(open_page: OpenPage) -> None:
    room = new_room()
    page = enter(open_page, room)
    trouble = page.locator("[data-part=trouble]")
    told = ("[data-part=pending][hidden]", "[data-part=trouble]:not([hidden])")
    answered = page.locator(", ".join(f".chat__room:has({part})" for part in told))
    said: list[str] = []
    while not trouble.is_visible() and len(said) < 200:  # a slow machine gets some of its allowance back meanwhile
        said.append(f"m{len(said)}")
        say(page, said[-1])
        expect(answered).to_have_count(1)
    expect(trouble).to_contain_text("You are writing too fast. Wait")
    expect(page.locator("[data-part=log] li")).to_have_count(len(said), timeout=20_000)
    assert texts(page) == said


def test_older_messages_come_when_one_scrolls_up(open_page: OpenPage, someone: Callable[[], Person]) -> None:
    room = new_room()
    for writer in [someone() for _ in range(4)]:
        for number in range(29):
            assert writer.post(room, room, text=f"line {number}\n\n.", token=secrets.token_hex(8)).ok
    page = enter(open_page, room)
    items = page.locator("[data-part=log] > li")
    expect(items).to_have_count(50)
    assert page.locator("[data-part=scroll]").evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight < 5")
    for count in (100, 116):
        page.locator("[data-part=scroll]").evaluate("box => { box.scrollTop = 0; }")
        expect(items).to_have_count(count)
    assert items.evaluate_all("items => items.map(item => Number(item.dataset.message))") == list(range(1, 117))
    expect(page.locator("[data-part=older]")).to_be_hidden()


def test_what_came_while_one_looked_away_is_marked(open_page: OpenPage) -> None:
    room = new_room()
    anna, ben = enter(open_page, room), enter(open_page, room)
    say(anna, "seen")
    expect(ben.locator("[data-part=log]")).to_contain_text("seen")
    ben.wait_for_function("localStorage.length > 0")
    ben.goto("/chat/")
    say(anna, "missed one")
    say(anna, "missed two")
    expect(anna.locator("[data-part=log] li")).to_have_count(3)
    ben.goto(room)
    is_in(ben)
    first = ben.locator(".msg--first-new")
    expect(first).to_have_count(1)
    expect(first).to_contain_text("missed one")


def test_the_list_of_rooms_counts_what_is_new(open_page: OpenPage) -> None:
    room = new_room()
    label = room.split("/")[2]
    anna, ben = enter(open_page, room), enter(open_page, room)
    say(ben, "mine")
    expect(anna.locator("[data-part=log]")).to_contain_text("mine")
    ben.wait_for_function("localStorage.length > 0")
    ben.goto("/chat/")
    is_connected(ben)
    own = ben.locator(f"[data-room={label}]")
    for number in (1, 2):
        say(anna, f"new {number}")
        expect(own.locator("[data-part=new]")).to_have_text(f"{number} new", timeout=15_000)
    moderator = enter(open_page, room, as_admin=True)
    act(moderator, "mine", "Ban")
    expect(moderator.locator("[data-part=sanctioned] li")).to_have_count(1)
    say(anna, "without ben")
    expect(own).to_be_hidden(timeout=15_000)


def test_without_javascript(open_page: OpenPage) -> None:
    room = new_room()
    page = open_page(room, java_script_enabled=False)
    page.get_by_label("Message", exact=True).fill("plain & simple <b>")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-part=log] li")).to_have_count(1)
    expect(page.locator("[data-part=text]").first).to_have_text("plain & simple <b>")
    live = enter(open_page, room)
    assert texts(live) == ["plain & simple <b>"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page: OpenPage, scheme: str) -> None:
    room = new_room()
    page = enter(open_page, room, as_admin=True, color_scheme=scheme, reduced_motion="reduce", viewport=PHONE)
    other = enter(open_page, room)
    say(other, "A message with https://example.org/ in it")
    say(page, "mine")
    expect(page.locator("[data-part=log] li")).to_have_count(2)
    problems = serious(page)
    page.locator("[data-part=log] summary").first.click()
    page.locator("[data-part=people-fold] > summary").click()
    page.locator("[data-part=name-fold] > summary").click()
    problems += serious(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto("/chat/")
    problems += serious(page)
    assert not problems, "\n".join(problems)


UNTOLD = """
from wampflask.apps import create_app
from wampflask.apps.actor import Actor
from wampflask.apps.chat import service
from wampflask.apps.extensions import db
with create_app().app_context():
    service.say(db.session(), {label!r}, Actor("visitor:gone"), "untold", None, service.Rate(10, 60.0))
    db.session.commit()
"""


def test_what_a_dying_worker_could_not_tell_is_fetched(open_page: OpenPage, site: LiveSite) -> None:
    room = new_room()
    anna, ben = enter(open_page, room), enter(open_page, room)
    say(anna, "before")
    expect(ben.locator("[data-part=log] li")).to_have_count(1)
    site.run(UNTOLD.format(label=room.split("/")[2]))  # stored and committed, and nobody publishes it
    assert texts(ben) == ["before"]
    say(anna, "after")
    for page in (anna, ben):
        expect(page.locator("[data-part=log] li")).to_have_count(3)
        assert texts(page) == ["before", "untold", "after"]
