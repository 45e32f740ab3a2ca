"""The tutorial and the ported examples in Chromium, and the program of docs/clients.md, on one real router."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, Page, expect
from werkzeug.serving import make_server

from rig.examples import load
from tests.browser.browsing import Troubles, page_in
from wampflask import WAMP, Permission
from wampflask.router.wire import wait_until
from wampflask.testing import RouterNode

Open = Callable[[str], Page]
Serve = Callable[[str], Open]


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(follow_workers=True) as running:
        yield running


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The app, ready and answering; the address of its pages."""
    with app.app_context():
        app.extensions["wamp"].connect(30)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.extensions["wamp"].stop()


@pytest.fixture
def example(
    node: RouterNode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    context: BrowserContext,
    troubles: Troubles,
) -> Iterator[Serve]:
    """Serve an example, and open its pages: ``example("tutorial")("/ping")``."""
    for key, value in node.config.items():
        monkeypatch.setenv(key, str(value))
    with ExitStack() as stack:

        def serve(name: str) -> Open:
            url = stack.enter_context(served(load(name, tmp_path).app))

            def opened(path: str) -> Page:
                page = page_in(context, troubles)
                page.goto(url + path)
                return page

            return opened

        yield serve
        for page in context.pages:
            page.goto("about:blank")


def connected(page: Page) -> Page:
    expect(page.locator("html")).to_have_attribute("data-connection", "open")
    return page


def clicked_until(page: Page, button: str, shown: Callable[[], None]) -> None:
    """Subscriptions of other pages need a moment that nothing shows: once more until they hear it."""
    for _ in range(20):
        page.get_by_role("button", name=button, exact=True).click()
        try:
            shown()
        except AssertionError:
            continue
        return
    shown()


def test_the_tutorial(example: Serve, tmp_path: Path) -> None:
    opened = example("tutorial")
    page = opened("/")
    first = page.locator("output").inner_text()
    page.get_by_role("button").click()
    expect(page.locator("output")).not_to_have_text(first)

    pinged = connected(opened("/ping"))
    file = tmp_path / "pings.txt"
    for _ in range(20):
        opened("/ping").close()
        if pinged.locator("output").inner_text() != "0" and file.exists():
            break
    expect(pinged.locator("output")).not_to_have_text("0")
    assert file.read_text().startswith("ping\n")

    one, other = opened("/bam"), connected(opened("/bam"))
    clicked_until(one, "Bam", lambda: expect(other.locator("p")).to_contain_text("bam", timeout=500))
    expect(one.locator("p")).to_contain_text("bam")


def test_the_film_of_the_tutorial_and_its_remote(example: Serve, tmp_path: Path) -> None:
    opened = example("tutorial")
    with wave.open(str(tmp_path / "static" / "film.webm"), "wb") as sound:  # browsers look at what a file is
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * 8000 * 60)
    film = opened("/film")
    remote = opened(film.get_by_role("link").get_attribute("href") or "")
    volume = remote.get_by_label("Volume")
    expect(volume).to_have_value("1")
    remote.get_by_role("button", name="Play").click()
    film.wait_for_function("!document.querySelector('video').paused")
    expect(remote.get_by_role("button")).to_have_text("Pause")
    volume.fill("0.25")
    film.wait_for_function("document.querySelector('video').volume === 0.25")
    film.evaluate("document.querySelector('video').pause()")
    expect(remote.get_by_role("button")).to_have_text("Play")


def test_the_port_from_flask_socketio(example: Serve) -> None:
    opened = example("from_socketio")
    one, other = connected(opened("/")), connected(opened("/"))
    expect(one.locator("#here")).to_have_text("1")  # both pages are of one visitor
    one.get_by_label("Text").fill("hello")
    one.get_by_role("button", name="Echo").click()
    expect(one.locator("#log")).to_contain_text("hello")
    one.get_by_label("Text").fill("soup")
    clicked_until(
        one, "Send to the kitchen", lambda: expect(other.locator("#log")).to_contain_text("soup", timeout=500)
    )
    one.get_by_label("Text").fill("to all")
    clicked_until(one, "Broadcast", lambda: expect(other.locator("#log")).to_contain_text("to all", timeout=500))
    expect(other.locator("#log")).not_to_contain_text("hello")


def test_the_port_from_channels(example: Serve) -> None:
    opened = example("from_channels")
    one, other = connected(opened("/chat/lobby/")), connected(opened("/chat/lobby/"))
    chat = other.get_by_label("Chat")
    one.get_by_label("Message").fill("hello")
    clicked_until(one, "Send", lambda: expect(chat).to_have_value(re.compile(r"hello"), timeout=500))


def test_the_port_from_turbo_flask(example: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    load_now = (0.5, 0.5, 0.5)
    monkeypatch.setattr("os.getloadavg", lambda: load_now)
    page = connected(example("from_turbo")("/"))
    expect(page.get_by_role("cell").first).to_have_text("0.50")
    load_now = (0.75, 0.5, 0.5)
    expect(page.get_by_role("cell").first).to_have_text("0.75", timeout=20_000)


def test_the_python_program_of_the_page_about_clients(node: RouterNode, tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
    (program,) = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    app = Flask("stock", instance_path=str(tmp_path))
    app.config.update(node.config)
    wamp = WAMP(app)
    wamp.register("shop.stock.<item>", allow="agent")(lambda item: {"left": len(item)})
    wamp.permit(Permission("shop.sold.<item>", subscribe="agent"))
    made = app.test_cli_runner().invoke(args=["wamp", "key", "create", "bot", "--role", "agent", "--uri", "shop"])
    log = tmp_path / "log"
    with served(app) as url, log.open("wb") as output:
        env = {**os.environ, "SITE": url, "KEY": made.output.strip(), "PYTHONUNBUFFERED": "1"}
        started = subprocess.Popen([sys.executable, "-c", program], env=env, stdout=output, stderr=output)
        try:
            assert wait_until(lambda: "{'left': 3}" in log.read_text(), 30), log.read_text()
            assert wait_until(lambda: is_heard(app, wamp, log), 30), log.read_text()
        finally:
            started.kill()
            started.wait()


def is_heard(app: Flask, wamp: WAMP, log: Path) -> bool:
    """It subscribes a moment after its call: publish until it has."""
    with app.app_context():
        wamp.publish("shop.sold.tea", 2)
    return "sold 2" in log.read_text()
