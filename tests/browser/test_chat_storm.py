"""1,000 messages from five writers, the router killed twice in their middle: pages show each once, in order."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from rig.live_site import LiveSite, live_site_in
from tests.browser.browsing import ROUTER_GONE, Troubles, page_in
from tests.browser.test_chat import is_in
from wampflask.router.wire import Refused, Wire, WireError, wait_until

WRITERS = 5
EACH = 200
KILLED_AT = (300, 700)
PATIENCE = 150_000  # milliseconds: machines that run other things too


@pytest.fixture(scope="module")
def storm_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """A site where people may write as fast as they can."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAMPFLASK_CHAT_RATE", "100000 per minute")
        with live_site_in(tmp_path_factory.mktemp("storm")) as running:
            yield running


class Writer(threading.Thread):
    """Says its messages one after another, each until it is answered, as the page's outbox does."""

    def __init__(self, site: LiveSite, room: str, name: str, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._site = site
        self._room = room
        self._stop_now = stop
        self.said: list[int] = []
        self.repeated = 0

    def run(self) -> None:
        wire: Wire | None = None
        for number in range(EACH):
            token = secrets.token_hex(8)
            while not self._stop_now.is_set():
                try:
                    wire = wire or self._site.node.session("visitor", f"visitor:{self.name}")
                    self.said.append(wire.call("chat.say", self._room, f"{self.name} {number}", token)["id"])
                    break
                except (OSError, WireError, TimeoutError) as error:
                    self.repeated += 1
                    if wire is not None and not isinstance(error, Refused):
                        wire.close()
                        wire = None
                    self._stop_now.wait(0.1)
        if wire is not None:
            wire.close()


@pytest.mark.timeout(300)
def test_no_message_is_missing_doubled_or_out_of_order(
    browser: Browser, context: BrowserContext, storm_site: LiveSite, troubles: Troubles
) -> None:
    site = storm_site
    other = browser.new_context()
    troubles.expect(*ROUTER_GONE)
    room = f"storm-{secrets.token_hex(4)}"
    pages = [page_in(reader, troubles) for reader in (context, other)]
    for page in pages:
        page.goto(f"{site.url}/chat/{room}/")
        is_in(page)
    stop = threading.Event()
    writers = [Writer(site, room, f"w{number}", stop) for number in range(WRITERS)]
    for writer in writers:
        writer.start()

    def said() -> int:
        return sum(len(writer.said) for writer in writers)

    try:
        for count in KILLED_AT:
            assert wait_until(lambda count=count: said() >= count, 120), said()  # type: ignore[misc]
            site.node.kill9()
            site.node.start()
        for writer in writers:
            writer.join(150)
        assert said() == WRITERS * EACH
    finally:
        stop.set()
        with contextlib.suppress(RuntimeError):
            for writer in writers:
                writer.join(20)
    assert sum(writer.repeated for writer in writers) > 0, "the router was killed while nobody was writing"
    everything = sorted(number for writer in writers for number in writer.said)
    assert everything == list(range(1, WRITERS * EACH + 1))
    for page in pages:
        items = page.locator("[data-part=log] > li")
        expect(items).to_have_count(WRITERS * EACH, timeout=PATIENCE)
        shown = items.evaluate_all(
            "items => items.map(item => [Number(item.dataset.message), item.querySelector('.msg__text').textContent])"
        )
        assert [number for number, _ in shown] == list(range(1, WRITERS * EACH + 1))
        for writer in writers:
            own = [text for _, text in shown if text.startswith(f"{writer.name} ")]
            assert own == [f"{writer.name} {number}" for number in range(EACH)]
    other.close()
    assert "Traceback" not in Path(site.log_file).read_text(encoding="utf-8")
