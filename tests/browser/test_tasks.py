"""Tasks and progressive calls, as a person sees them in a real browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from rig.live_site import ROOT, LiveSite
from tests.browser.browsing import Troubles, page_in
from tests.core.processes.programs import Program, eventually
from tests.core.tasks.task_site import PERMISSIONS, Site
from wampflask.testing import RouterNode

PICTURE = "testsrc=size=640x480:rate=25:duration={}"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with RouterNode(PERMISSIONS) as node:
        site = Site(node, tmp_path_factory.mktemp("tasks"), WAMP_PUBLIC_URL=node.ws_url)
        with site.serve():
            yield site


def bar(page: Page, value: str) -> None:
    expect(page.get_by_role("progressbar")).to_have_attribute("value", value)


def test_a_bar_follows_its_task_and_the_button_cancels_it(
    shop: Site, context: BrowserContext, troubles: Troubles
) -> None:
    task, other = shop.append("seen"), shop.append("other")
    page = page_in(context, troubles)
    page.goto(f"{shop.url}/page/{task}")
    expect(page.get_by_role("status")).to_have_text("Waiting to begin")
    with shop.work("--threads", "2"):
        bar(page, "40")
        expect(page.get_by_role("status")).to_have_text("Converting seen")
        shop.let_go("seen")
        expect(page.get_by_role("status")).to_have_text("Done")
        expect(page.get_by_role("progressbar")).to_have_count(0)
        page.goto(f"{shop.url}/page/{other}")  # late: the task runs
        bar(page, "40")
        page.get_by_role("button", name="Cancel").click()
        page.wait_for_url(f"{shop.url}/page/{other}")
        expect(page.get_by_role("status")).to_have_text("Cancelled")
        expect(page.get_by_role("button")).to_have_count(0)


def test_the_button_works_without_javascript(shop: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    task = shop.append("plain")
    page.goto(f"{shop.url}/page/{task}")
    page.get_by_role("button", name="Cancel").click()
    assert page.url == f"{shop.url}/page/{task}"
    expect(page.get_by_role("status")).to_have_text("Cancelled")
    context.close()


def test_calls_with_progress_in_both_directions(shop: Site, context: BrowserContext, troubles: Troubles) -> None:
    page = page_in(context, troubles)
    page.goto(f"{shop.url}/page/{shop.append('calls')}")
    heard, result = page.evaluate("""async () => {
        window.wamp = await import("wampflask");
        const heard = [];
        const result = await wamp.call("shop.count", [4], { onProgress: (part) => heard.push(part) });
        return [heard, result];
    }""")
    assert (heard, result) == ([0, 0.25, 0.5, 0.75], "done")
    reason = page.evaluate("""async () => {
        const control = new AbortController();
        const onProgress = () => control.abort("enough");
        return wamp.call("shop.endless", [], { onProgress, signal: control.signal }).catch((error) => error);
    }""")
    assert reason == "enough"
    eventually(lambda: "endless was cancelled" in (shop.folder / "traces").read_text(), "the handler has ended")
    answer = page.evaluate("""async () => {
        const { ready } = wamp.register("page.work.{session}", async ([count], { progress }) => {
            for (let number = 0; number < count; number += 1) progress(number);
            return "from the page";
        });
        await ready;
        return await (await fetch(`/ask/${wamp.connection.session.id}`)).json();
    }""")
    assert answer == {"heard": [0, 1, 2], "result": "from the page"}


# -- the site's own user


@contextmanager
def working(site: LiveSite, folder: Path) -> Iterator[Program]:
    command = [sys.executable, "-m", "flask", "--app", f"{ROOT / 'wsgi.py'}", "wamp", "worker", "--grace", "1"]
    with Program(command, folder, site.env()) as program:
        eventually(lambda: "Running the tasks" in program.said(), program.said)
        yield program


def film(file: Path, seconds: int) -> Path:
    command: list[str | Path] = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        PICTURE.format(seconds),
        "-c:v",
        "mpeg4",
        file,
    ]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
    return file


def test_an_upload_that_browsers_do_not_play_is_converted(
    site: LiveSite, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page("/admin/media/", as_admin=True)
    page.get_by_label("Video or sound").set_input_files(film(tmp_path / "Long film.avi", 40))
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("Long film.avi is converted now.")).to_be_visible()
    item = page.get_by_role("listitem").filter(has_text="Long film.avi")
    with working(site, tmp_path / "worker"):
        expect(item.get_by_role("status")).to_have_text("Converting")
        item.get_by_role("button", name="Cancel").click()
        status = item.get_by_role("status")
        eventually(lambda: not status.count() or status.inner_text() == "Cancelled", "it is cancelled")
        page.get_by_label("Video or sound").set_input_files(film(tmp_path / "Short film.avi", 1))
        page.get_by_role("button", name="Upload").click()
        short = page.get_by_role("listitem").filter(has_text="Short film.avi")
        done = short.get_by_role("status").filter(has_text="Done")
        expect(done.or_(page.get_by_role("link", name="Short film.webm"))).to_be_visible(timeout=20_000)
        page.goto("/player/")
        page.get_by_role("button", name="Short film").click()
        page.wait_for_function("() => document.querySelector('video').videoWidth === 640")
