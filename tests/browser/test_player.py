"""The player and its remotes: a page that is called by others, steered from a phone, and lost and found again.

Browsers let no sound out of a page that nobody has touched. Chromium without a window does, so most tests need no
hand; ``test_sound_waits_for_a_hand`` runs a browser that keeps the rule.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from rig.browser import FLAGS, NAMES
from rig.live_site import ROOT, LiveSite
from tests.browser.axe import serious
from tests.browser.browsing import ROUTER_GONE, Troubles, is_connected
from tests.browser.conftest import OpenPage
from wampflask.apps.paths import resource
from wampflask.apps.player import media

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
CLOCK = (resource("static") / "media" / "clock.webm").read_bytes()
HOSTILE = '"><img src=x onerror="window.hacked=1"><b>\'&amp;.webm'
NO_FILM = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + b"\0" * 2000
EVENT, GOODBYE, REGISTER = re.compile(r"\[36,"), re.compile(r"\[6,"), re.compile(r"\[64,")
SLOW = 20_000  # ms: two cores are shared by many
CONNECTION = "import('wampflask').then(({ connection }) => connection.%s())"


class Player:
    """A page with the player."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.ready()

    def ready(self) -> None:
        """Wait until remotes may call it."""
        expect(self.page.locator(".player")).to_have_attribute("data-state", "ready", timeout=SLOW)

    @property
    def link(self) -> str:
        """Of its remote."""
        return self.page.locator("[data-part=link]").get_attribute("href") or ""

    @property
    def id(self) -> str:
        """What the link ends with."""
        return self.link.rsplit("#", 1)[1]

    def video(self, expression: str) -> Any:
        """A property of the video."""
        return self.page.evaluate(f"document.querySelector('video').{expression}")

    def until(self, condition: str) -> None:
        """Wait for a condition on ``v``, the video."""
        self.page.wait_for_function(f"() => {{ const v = document.querySelector('video'); return {condition} }}")


class Remote:
    """A page with the remote."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def part(self, name: str) -> Any:
        return self.page.locator(f"[data-part={name}]")

    def expect(self, where: str) -> None:
        """Wait until it says how things are."""
        expect(self.page.locator(".remote")).to_have_attribute("data-where", where, timeout=SLOW)

    def playing(self, *, yes: bool) -> None:
        """Wait until it shows what the player does."""
        expect(self.part("toggle")).to_have_attribute("aria-label", "Pause" if yes else "Play", timeout=SLOW)

    def set(self, name: str, value: float) -> None:
        """Move a slider as a hand does."""
        self.part(name).fill(str(value))

    def until(self, name: str, condition: str) -> None:
        """Wait for a condition on ``v``, the number at which a slider stands."""
        slider = f"document.querySelector('[data-part={name}]')"
        script = f"() => {{ const v = Number({slider}.value); return {condition} }}"
        self.page.wait_for_function(script, timeout=SLOW)


OpenPlayer = Callable[[], Player]
OpenRemote = Callable[..., Remote]


@pytest.fixture
def open_player(open_page: OpenPage) -> OpenPlayer:
    return lambda: Player(open_page("/player/", viewport={"width": 1280, "height": 800}))


@pytest.fixture
def open_remote(open_page: OpenPage) -> OpenRemote:
    def opened(player: Player, **options: Any) -> Remote:
        remote = Remote(open_page(player.link, **options))
        remote.expect("here")
        return remote

    return opened


@pytest.fixture
def films(site: LiveSite) -> Iterator[Path]:
    """Media with a hostile name, and one that is no film inside."""
    folder = site.folder / media.FOLDER
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        for name, content in ((HOSTILE, CLOCK), ("zz broken.mp4", NO_FILM)):
            (folder / name).write_bytes(content)
            stack.callback((folder / name).unlink)
        yield folder


def test_two_remotes_and_a_hand_stay_in_step(open_player: OpenPlayer, open_remote: OpenRemote) -> None:
    player = open_player()
    phone, tab = open_remote(player, **PHONE), open_remote(player)

    phone.part("toggle").tap()
    player.until("!v.paused && v.currentTime > 0.5")
    for remote in (phone, tab):
        remote.playing(yes=True)
        remote.until("seek", "v > 0.5")

    tab.set("seek", 30)
    player.until("v.currentTime > 29 && v.currentTime < 40")
    phone.until("seek", "v > 29 && v < 40")

    phone.set("volume", 40)
    player.until("Math.abs(v.volume - 0.4) < 0.01")
    tab.until("volume", "v === 40")

    tab.part("mute").click()
    player.until("v.muted")
    expect(phone.part("mute")).to_have_attribute("aria-pressed", "true")

    player.page.evaluate("document.querySelector('video').pause()")
    for remote in (phone, tab):
        remote.playing(yes=False)
    player.page.evaluate("document.querySelector('video').volume = 0.7")
    for remote in (phone, tab):
        remote.until("volume", "v === 70")

    phone.part("next").tap()
    for remote in (phone, tab):
        expect(remote.part("title")).to_have_text("Eight bars")
        expect(remote.part("next")).to_be_disabled()
    tab.page.get_by_role("button", name="Running clock").click()
    expect(phone.part("title")).to_have_text("Running clock")
    expect(player.page.locator("[data-part=items] [aria-current]")).to_have_text("Running clock")
    tab.part("next").click()
    expect(phone.part("title")).to_have_text("Eight bars")
    tab.part("previous").click()
    expect(phone.part("title")).to_have_text("Running clock")


def test_keys_and_buttons_move_by_seconds_and_fingers_precisely(
    open_player: OpenPlayer, open_remote: OpenRemote
) -> None:
    player = open_player()
    remote = open_remote(player, **PHONE)
    remote.until("seek", "document.querySelector('[data-part=seek]').max > 50")
    remote.part("seek").press("ArrowRight")
    player.until("v.currentTime === 5")
    for _ in range(3):
        remote.part("forward").tap()
    player.until("v.currentTime === 35")
    expect(remote.part("position")).to_have_text("0:35")
    expect(remote.part("seek")).to_have_attribute("aria-valuetext", "0 minutes 35 seconds")
    remote.part("seek").press("ArrowDown")
    player.until("v.currentTime === 30")
    for _ in range(5):
        remote.part("back").tap()
    player.until("v.currentTime === 0")
    remote.set("seek", 12.3)
    player.until("Math.abs(v.currentTime - 12.3) < 0.05")


def test_an_item_that_ends_is_followed_by_the_next(open_player: OpenPlayer, open_remote: OpenRemote) -> None:
    player = open_player()
    remote = open_remote(player)
    remote.part("toggle").click()
    remote.playing(yes=True)
    remote.set("seek", 59.5)
    expect(remote.part("title")).to_have_text("Eight bars", timeout=SLOW)
    player.until("!v.paused && v.currentTime > 0.2")
    remote.playing(yes=True)


def test_the_lock_screen_knows_what_is_on(open_player: OpenPlayer, open_remote: OpenRemote) -> None:
    player = open_player()
    remote = open_remote(player)
    remote.part("toggle").click()
    player.page.wait_for_function("() => navigator.mediaSession.playbackState === 'playing'")
    assert player.page.evaluate("navigator.mediaSession.metadata.title") == "Running clock"
    remote.part("next").click()
    player.page.wait_for_function("() => navigator.mediaSession.metadata.title === 'Eight bars'")


def test_remotes_are_told_when_the_player_goes_and_when_it_is_back(
    open_player: OpenPlayer, open_remote: OpenRemote
) -> None:
    player = open_player()
    phone, tab = open_remote(player, **PHONE), open_remote(player)

    player.page.evaluate(CONNECTION % "stop")
    for remote in (phone, tab):
        remote.expect("away")
        expect(remote.part("message")).to_contain_text("Player disconnected")
        expect(remote.part("toggle")).to_be_disabled()
    player.page.evaluate("document.querySelector('video').volume = 0.25")
    player.page.evaluate(CONNECTION % "start")
    for remote in (phone, tab):
        remote.expect("here")
        remote.until("volume", "v === 25")

    player.page.close()
    for remote in (phone, tab):
        remote.expect("away")


def test_a_killed_router_interrupts_and_no_more(
    site: LiveSite, open_player: OpenPlayer, open_remote: OpenRemote, troubles: Troubles
) -> None:
    troubles.expect(*ROUTER_GONE)
    player = open_player()
    phone, tab = open_remote(player, **PHONE), open_remote(player)
    phone.part("toggle").tap()
    tab.playing(yes=True)

    site.node.kill9()
    for remote in (phone, tab):
        remote.expect("connecting")
    player.until("!v.paused")
    player.page.evaluate("document.querySelector('video').volume = 0.5")
    site.node.start()

    for remote in (phone, tab):
        remote.expect("here")
        remote.playing(yes=True)
        remote.until("volume", "v === 50")
    tab.part("toggle").click()
    player.until("v.paused")
    phone.playing(yes=False)
    player.page.close()
    phone.expect("away")


def test_a_player_gets_its_names_back_from_a_session_that_died_unnoticed(
    open_page: OpenPage, open_remote: OpenRemote, troubles: Troubles
) -> None:
    """As after a change of network: the page has joined anew, and the router still holds the old session."""
    page = open_page("/player/control")
    held: list[WebSocketRoute] = []

    def between(page_side: WebSocketRoute) -> None:
        router_side = page_side.connect_to_server()

        def close(*_: object) -> None:
            if router_side not in held:
                router_side.close()

        page_side.on_close(close)

        def pass_on(message: str | bytes) -> None:
            if not held and REGISTER.match(str(message)):  # before it was paired, the page may have had another one
                held.append(router_side)
            if not GOODBYE.match(str(message)):
                router_side.send(message)

        page_side.on_message(pass_on)
        router_side.on_message(page_side.send)

    page.route_web_socket("**/ws", between)
    page.goto("/player/")
    player = Player(page)
    remote = open_remote(player)
    page.evaluate(CONNECTION % "stop")
    page.evaluate(CONNECTION % "start")
    is_connected(page)
    remote.part("toggle").click()
    remote.expect("asleep")
    expect(remote.part("message")).to_contain_text("isn't responding")
    held[0].close()
    remote.expect("here")
    remote.part("toggle").click()
    player.until("!v.paused")


def test_a_phone_that_wakes_is_up_to_date_at_once(open_player: OpenPlayer, open_page: OpenPage) -> None:
    """Asleep: nothing is heard, though the socket still stands."""
    player = open_player()
    phone = open_page("/player/control", **PHONE)
    asleep = False

    def between(page_side: WebSocketRoute) -> None:
        router_side = page_side.connect_to_server()
        page_side.on_message(router_side.send)

        def pass_on(message: str | bytes) -> None:
            if not (asleep and EVENT.match(str(message))):
                page_side.send(message)

        router_side.on_message(pass_on)

    phone.route_web_socket("**/ws", between)
    phone.goto(player.link)
    remote = Remote(phone)
    remote.expect("here")
    seen = """(state) => {
        Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    phone.evaluate(seen, "hidden")
    asleep = True
    player.page.evaluate("document.querySelector('video').volume = 0.35")
    player.page.evaluate("document.querySelector('video').muted = true")
    remote.until("volume", "v === 100")
    phone.evaluate(seen, "visible")
    remote.until("volume", "v === 35")
    expect(remote.part("mute")).to_have_attribute("aria-pressed", "true")


def test_a_new_code_ends_the_old_one(open_player: OpenPlayer, open_remote: OpenRemote) -> None:
    player = open_player()
    phone, tab = open_remote(player, **PHONE), open_remote(player)
    old = player.id

    player.page.get_by_role("button", name="Get a new code").click()
    for remote in (phone, tab):
        remote.expect("renewed")
        expect(remote.part("message")).to_contain_text("new code")
    expect(player.page.locator("[data-part=link]")).not_to_have_attribute("href", re.compile(old))
    player.ready()
    assert player.id != old

    fresh = open_remote(player)
    fresh.part("toggle").click()
    player.until("!v.paused")
    phone.page.reload()
    phone.expect("away")
    assert tried(fresh.page, f"s.call('player.{old}.pause')") == "wamp.error.no_such_procedure"
    player.until("!v.paused")


def tried(page: Page, action: str) -> str:
    """The error of something that a page's session ``s`` is made to do, or "" when it works."""
    script = f"""import('wampflask').then(({{ connection: {{ session: s }} }}) => {action})
        .then(() => "", (error) => error.uri ?? String(error))"""
    return str(page.evaluate(script))


def test_who_knows_the_code_may_call_and_nothing_else(
    site: LiveSite, open_player: OpenPlayer, open_remote: OpenRemote, open_page: OpenPage
) -> None:
    """Another reader with the code; and the admin, who may not do more."""
    player = open_player()
    denied = "wamp.error.not_authorized"
    for page in (open_remote(player).page, open_page(player.link, as_admin=True)):
        is_connected(page)
        uri = f"player.{player.id}"
        assert tried(page, f"s.call('{uri}.status')") == ""
        assert tried(page, f"s.register('{uri}.select2', () => 1)") == denied
        # Crossbar says first that the name is taken; the free one below shows that it would be refused as well
        assert tried(page, f"s.register('{uri}.play', () => 1)") in (denied, "wamp.error.procedure_already_exists")
        assert tried(page, f"s.register('player.{'0' * 32}.play', () => 1)") == denied
        assert tried(page, f"s.publish('{uri}.state', [{{ present: false }}])") == denied
        for meta in ("registration.list", "registration.match", "subscription.list", "session.list"):
            assert tried(page, f"s.call('wamp.{meta}')") == denied
        assert tried(page, f"s.call('{uri}.seek', ['no number'])") == "player.error.invalid"
        assert tried(page, f"s.call('{uri}.volume', [7])") == "player.error.invalid"
        assert tried(page, f"s.call('{uri}.mute', ['<b>'])") == "player.error.invalid"
        assert tried(page, f"s.call('{uri}.select', [99])") == "player.error.invalid"
    free = player.id
    player.page.close()
    thief = open_page("/player/control#" + free)
    Remote(thief).expect("away")
    assert tried(thief, f"s.register('player.{free}.play', () => 1)") == denied


def test_another_login_has_another_code(
    site: LiveSite, open_player: OpenPlayer, open_remote: OpenRemote, open_page: OpenPage
) -> None:
    player = open_player()
    remote = open_remote(player)
    old = player.id
    login = open_page("/login", of=player.page)
    login.get_by_label("Email address").fill(site.admin_email)
    login.get_by_label("Password").fill(site.admin_password)
    login.get_by_role("button", name="Log in").click()
    expect(login.get_by_role("button", name="Log out")).to_be_visible()
    player.page.evaluate(CONNECTION % "stop")
    player.page.evaluate(CONNECTION % "start")
    expect(player.page.locator("[data-part=link]")).not_to_have_attribute("href", re.compile(old), timeout=SLOW)
    player.ready()
    remote.expect("away")
    open_remote(player).part("toggle").click()
    player.until("!v.paused")


def test_a_page_that_is_always_refused_says_so_and_stops(open_page: OpenPage) -> None:
    """As without cookies: whoever asked for the code is somebody else when it comes to the ticket."""
    page = open_page("/player/control")
    asked: list[str] = []

    def spoil(route: Route) -> None:
        asked.append(route.request.url)
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "proof": "worthless"})

    page.route("**/pairing.json", spoil)
    page.goto("/player/")
    expect(page.get_by_role("alert")).to_contain_text("Allow cookies", timeout=SLOW)
    assert len(asked) == 4
    page.unroute("**/pairing.json")
    page.get_by_role("button", name="Get a new code").click()
    Player(page)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_remote_without_a_player_says_so(open_page: OpenPage) -> None:
    for link in ("/player/control", "/player/control#<script>", "/player/control#" + "0" * 31):
        remote = Remote(open_page(link))
        remote.expect("none")
        expect(remote.part("message")).to_contain_text("isn't connected to a player")
    Remote(open_page("/player/control#" + "0" * 32)).expect("away")


def test_hostile_file_names_are_text_and_play(
    films: Path, open_player: OpenPlayer, open_remote: OpenRemote, open_page: OpenPage
) -> None:
    title = HOSTILE.removesuffix(".webm")
    player = open_player()
    remote = open_remote(player, **PHONE)
    expect(remote.part("title")).to_have_text(title)
    expect(remote.part("items").locator("button").first).to_have_text(title)
    remote.part("toggle").tap()
    player.until("!v.paused && v.currentTime > 0.3")
    office = open_page("/admin/media/", as_admin=True)
    expect(office.locator("table")).to_contain_text(HOSTILE)
    live = open_page("/player/live", as_admin=True)
    expect(live.locator("table")).to_contain_text(title)
    for page in (player.page, remote.page, office, live):
        assert page.evaluate("window.hacked ?? null") is None
        assert page.locator("img[src=x]").count() == 0


def test_what_the_browser_cannot_play_is_said_on_both_screens(
    films: Path, open_player: OpenPlayer, open_remote: OpenRemote
) -> None:
    player = open_player()
    remote = open_remote(player)
    remote.page.get_by_role("button", name="zz broken").click()
    for alert in (player.page.get_by_role("alert"), remote.part("trouble")):
        expect(alert).to_contain_text("This browser can't play “zz broken” (video/mp4).", timeout=SLOW)
    remote.part("next").click()
    expect(remote.part("title")).to_have_text("Running clock")
    expect(remote.part("trouble")).to_be_hidden()
    expect(player.page.get_by_role("alert")).to_be_hidden()


def test_an_admin_uploads_a_film_and_somebody_plays_it(
    site: LiveSite, open_page: OpenPage, open_player: OpenPlayer, tmp_path: Path
) -> None:
    film = tmp_path / "holiday & sea.webm"
    film.write_bytes(CLOCK)
    office = open_page("/admin/media/", as_admin=True)
    office.set_input_files("#file", film)
    office.get_by_role("button", name="Upload").click()
    expect(office.get_by_text("Added holiday & sea.webm")).to_be_visible()
    player = open_player()
    player.page.get_by_role("button", name="holiday & sea").click()
    player.until("!v.paused && v.currentTime > 0.3")
    office.get_by_role("button", name="Delete holiday & sea.webm").click()
    expect(office.get_by_text("File deleted.")).to_be_visible()
    expect(office.get_by_role("link", name="holiday & sea.webm")).to_have_count(0)


def command(site: LiveSite, *words: str) -> list[dict[str, Any]]:
    """``flask player …`` beside the running site."""
    line = [sys.executable, "-m", "flask", "--app", "wsgi", "player", *words, "--json"]
    done = subprocess.run(line, cwd=ROOT, env=site.env(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_python_calls_into_three_browsers(site: LiveSite, open_player: OpenPlayer, open_page: OpenPage) -> None:
    """A command and a synchronous view get answers of functions in tabs, and what they do is seen there."""
    players = [open_player() for _ in range(3)]
    for player in players:
        player.page.evaluate("document.querySelector('video').play()")
        player.until("!v.paused && v.currentTime > 0.2")

    found = {answer["player"]: answer for answer in command(site, "list")}
    assert found.keys() >= {player.id for player in players}
    for player in players:
        assert found[player.id]["state"]["playing"] is True
        assert found[player.id]["state"]["title"] == "Running clock"

    told = {answer["player"]: answer for answer in command(site, "pause-all")}
    for player in players:
        assert told[player.id]["state"]["playing"] is False
        assert player.video("paused") is True

    players[0].page.evaluate("document.querySelector('video').play()")
    players[0].until("!v.paused")
    live = open_page("/player/live", as_admin=True)
    expect(live.get_by_role("row").filter(has_text=players[0].id[:8])).to_contain_text("playing")
    live.get_by_role("button", name="Pause all").click()
    expect(live.get_by_text(re.compile(r"Paused \d of \d players\."))).to_be_visible()
    assert players[0].video("paused") is True
    expect(live.get_by_role("row").filter(has_text=players[0].id[:8])).to_contain_text("paused")


@pytest.fixture
def strict_browser(browser: Browser) -> Iterator[Browser]:
    """A browser that keeps the rule about sound."""
    kind = browser.browser_type
    named = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), kind.executable_path)
    strict = kind.launch(executable_path=named, args=[*FLAGS, "--autoplay-policy=document-user-activation-required"])
    yield strict
    strict.close()


def test_sound_waits_for_a_hand(site: LiveSite, strict_browser: Browser, open_page: OpenPage) -> None:
    """Whatever Playwright evaluates in a page counts as a touch, so the player's page is left alone until the click."""
    page = strict_browser.new_context(base_url=site.url).new_page()
    with page.expect_response("**/pairing.json") as answer:
        page.goto("/player/")
    remote = Remote(open_page(f"/player/control#{answer.value.json()['player']}"))
    remote.expect("here")
    remote.part("toggle").click()
    remote.playing(yes=True)
    remote.until("seek", "v > 0.3")
    expect(remote.part("trouble")).to_contain_text("click anywhere on the player's page")
    expect(remote.part("mute")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Turn on sound").click()
    expect(remote.part("trouble")).to_be_hidden()
    expect(remote.part("mute")).to_have_attribute("aria-pressed", "false")
    Player(page).until("!v.paused && !v.muted")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    open_page: OpenPage, open_player: OpenPlayer, films: Path, scheme: str, troubles: Troubles
) -> None:
    player = open_player()
    page = open_page("/player/", color_scheme=scheme, reduced_motion="reduce")
    Player(page)
    problems = serious(page)
    page.goto(player.link)
    Remote(page).expect("here")
    problems += serious(page)
    player.page.close()
    Remote(page).expect("away")
    problems += serious(page)
    office = open_page("/player/live", as_admin=True, color_scheme=scheme, reduced_motion="reduce")
    problems += serious(office)
    office.goto("/admin/media/")
    problems += serious(office)
    assert not problems, "\n".join(problems)


def test_the_remote_fits_a_hand(open_player: OpenPlayer, open_remote: OpenRemote) -> None:
    player = open_player()
    for width in (320, 390):
        remote = open_remote(player, viewport={"width": width, "height": 640}, has_touch=True, is_mobile=True)
        assert remote.page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = {name: remote.part(name).bounding_box() for name in ("toggle", "previous", "next", "mute", "seek")}
        assert all(box and box["height"] >= 44 and box["width"] >= 44 for box in sizes.values()), sizes
        assert sizes["toggle"]
        assert sizes["toggle"]["width"] >= 120
    phone = open_remote(player, viewport={"width": 320, "height": 640}, is_mobile=True)
    phone.page.goto("/player/")
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 320
