"""Pages that everybody can use: on a phone, with a screen reader, in the dark, without motion."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from rig.people import Admin
from tests.browser.axe import serious
from tests.browser.browsing import Troubles, choice, is_connected
from tests.browser.conftest import OpenPage

PHONE = {"width": 320, "height": 640}
EVERYBODYS = ("/", "/polls/", "/polls/{poll}/", "/polls/{poll}/results", "/polls/{poll}/present", "/login", "/nowhere")
EVERYBODYS_CLOSED = ("/polls/{closed}/", "/polls/{closed}/results", "/polls/{sealed}/results")
ADMINS = (
    "/polls/",
    "/polls/new",
    "/polls/{poll}/",
    "/polls/{poll}/edit",
    "/polls/{poll}/reset",
    "/polls/{poll}/present",
    "/change",
    "/admin/keys/",
    "/admin/settings/",
    "/admin/media/",
)
OFFICE = ("/admin/", "/admin/questions/", "/admin/questions/edit/?id={poll}", "/admin/votes/", "/admin/user/")
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 2


@pytest.fixture(scope="module")
def polls(admin: Admin) -> dict[str, int]:
    """An open poll with long words, a closed one, and one whose results are sealed."""
    found = {
        "poll": admin.new_poll(f"What is {LONG}?", LONG[:100], "Short", "Another answer of a usual length"),
        "closed": admin.new_poll("Over?", "Yes", "No"),
        "sealed": admin.new_poll("Sealed?", "Yes", "No", visibility="after_close"),
    }
    admin.vote(found["poll"], admin.choices(found["poll"])[0])
    admin.do(found["closed"], "close")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("who", ["everybody", "admin", "office"])
def test_axe_finds_nothing_serious(
    open_page: OpenPage, polls: dict[str, int], scheme: str, who: str, troubles: Troubles
) -> None:
    troubles.expect("404 (NOT FOUND)")
    paths = {"everybody": EVERYBODYS + EVERYBODYS_CLOSED, "admin": ADMINS, "office": OFFICE}[who]
    page = open_page("/", as_admin=who != "everybody", color_scheme=scheme, reduced_motion="reduce")
    problems: list[str] = []
    for path in paths:
        page.goto(path.format(**polls))
        problems += serious(page)
    assert not problems, "\n".join(problems)


def test_axe_after_a_vote_and_an_error(open_page: OpenPage, admin: Admin, troubles: Troubles) -> None:
    troubles.expect("422 (UNPROCESSABLE", "200 (OK)")
    poll = admin.new_poll("Axe?", "Yes", "No")
    page = open_page(f"/polls/{poll}/", reduced_motion="reduce")
    choice(page, "Yes").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.get_by_text("Your vote is counted.")).to_be_visible()
    problems = serious(page)
    page.goto("/login")
    page.get_by_label("Email address").fill("nobody@example.org")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    problems += serious(page)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("as_admin", [False, True])
def test_a_small_phone_never_scrolls_sideways(
    open_page: OpenPage, polls: dict[str, int], troubles: Troubles, *, as_admin: bool
) -> None:
    troubles.expect("404 (NOT FOUND)")
    page = open_page("/", as_admin=as_admin, viewport=PHONE, has_touch=True, is_mobile=True)
    wide: list[str] = []
    for path in ADMINS if as_admin else EVERYBODYS + EVERYBODYS_CLOSED:
        page.goto(path.format(**polls))
        if page.evaluate("document.scrollingElement.scrollWidth") > PHONE["width"]:
            wide.append(path)
    assert not wide


def test_a_thumb_can_vote(open_page: OpenPage, admin: Admin) -> None:
    poll = admin.new_poll("Thumb?", "Up", "Down")
    page = open_page(f"/polls/{poll}/", viewport=PHONE, has_touch=True, is_mobile=True)
    for target in (page.locator(".ballot__choice").first, page.get_by_role("button", name="Vote")):
        box = target.bounding_box()
        assert box
        assert box["height"] >= 44
    page.locator(".ballot__choice", has_text="Up").tap()
    page.get_by_role("button", name="Vote").tap()
    expect(page.locator(".bar", has_text="Up")).to_contain_text("your vote")


def test_the_theme_is_remembered(open_page: OpenPage) -> None:
    page = open_page("/polls/", color_scheme="light")
    toggle = page.get_by_role("button", name="Dark mode")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    dark = page.evaluate(background)
    assert dark != light
    page.goto("/login")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(background) == dark
    html = page.context.request.get("/login").text()
    assert '<html lang="en" data-theme="dark"' in html, "the choice holds before the first paint: the server writes it"


def test_who_wants_no_motion_gets_none(open_page: OpenPage, polls: dict[str, int]) -> None:
    style = "getComputedStyle(document.querySelector('.bar__fill')).transitionDuration"
    still = open_page(f"/polls/{polls['poll']}/results", reduced_motion="reduce")
    assert still.evaluate(style) == "0s"
    moving = open_page(f"/polls/{polls['poll']}/results")
    assert moving.evaluate(style) == "0.6s"


def test_pages_allow_no_inline_script(open_page: OpenPage, polls: dict[str, int], troubles: Troubles) -> None:
    troubles.expect("Content Security Policy")
    page = open_page(f"/polls/{polls['poll']}/results")
    is_connected(page)
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(script);
    }""")
    assert page.evaluate("window.ran ?? null") is None
