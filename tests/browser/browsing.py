"""Pages that tell what went wrong in them, and what tests do with pages."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    expect,
)
from playwright.sync_api import Error as PlaywrightError


class Troubles:
    """What the pages of one test complained about: errors, warnings, broken policies.

    :param expected: parts of messages that the test brings about on purpose, such as a router that is gone.
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self.expected: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"{page.url}: {error}"))

    def expect(self, *parts: str) -> None:
        """Messages that hold one of ``parts`` are no trouble in this test."""
        self.expected.extend(parts)

    def check(self) -> None:
        """:raises AssertionError: for anything unexpected."""
        unexpected = [text for text in self.found if not any(part in text for part in self.expected)]
        assert not unexpected, "\n".join(unexpected)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


ROUTER_GONE = ("WebSocket connection to", "ERR_CONNECTION_REFUSED")


def page_in(context: BrowserContext, troubles: Troubles) -> Page:
    """A new page whose troubles are noted."""
    page = context.new_page()
    troubles.watch(page)
    return page


def shows_count(page: Page, poll: int, count: int) -> None:
    """Wait until the page says that so many have answered."""
    expect(page.locator(f"#responses-count-{poll}")).to_have_text(f"{count:,}")


def is_connected(page: Page) -> None:
    """Wait until the page has joined the router."""
    expect(page.locator("html")).to_have_attribute("data-connection", "open", timeout=20_000)


def choice(page: Page, label: str) -> Locator:
    """The box or button of a ballot's choice."""
    return page.locator(".ballot__choice").filter(has=page.get_by_text(label, exact=True)).locator("input")


def is_ready(page: Page) -> None:
    """Wait until everything in the page's main part does what its script says."""
    expect(page.locator("main [data-behaviour]:not([data-ready])")).to_have_count(0)


def is_uncovered(place: Locator) -> None:
    """Nothing lies over something that is in the window without scrolling: not at its middle, nor at its edges."""
    expect(place).to_be_in_viewport(ratio=1)
    assert place.evaluate("""(element) => {
        const { left, top, width, height } = element.getBoundingClientRect();
        const on = (down) => document.elementFromPoint(left + width / 2, top + height * down);
        return [0.1, 0.5, 0.9].every((down) => element.contains(on(down)));
    }""")


CLOSING = 20.0
"""Seconds that Chromium has to close a context: now and then it never answers, whatever the page was."""


def leave(context: BrowserContext) -> None:
    """Leave every page of a context, so that nothing of it stays connected, and close it."""
    for page in context.pages:
        with suppress(PlaywrightError):  # a page that is gone, or crashed by its test
            page.goto("about:blank", timeout=5_000)
    with suppress(TimeoutError), _at_most(CLOSING):
        context.close()


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeoutError` after ``seconds``; the test's own alarm goes on afterwards."""

    def late(_signal: int, _frame: object) -> None:
        raise TimeoutError

    former = signal.signal(signal.SIGALRM, late)
    remaining, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, former)
        signal.setitimer(signal.ITIMER_REAL, remaining)
