"""Fixtures of the tests that drive a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from rig.browser import chromium
from rig.live_site import LiveSite, live_site_in
from rig.people import Admin, Person
from tests.browser.browsing import Troubles, leave, page_in

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; each has contexts of its own."""
    with chromium() as running:
        yield running


@pytest.fixture
def troubles() -> Iterator[Troubles]:
    """Fails the test when one of its pages logged an error or a warning that it did not expect."""
    noted = Troubles()
    yield noted
    noted.check()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A reader with cookies of their own."""
    fresh = browser.new_context()
    fresh.set_default_timeout(10_000)
    yield fresh
    leave(fresh)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """The whole site, shared by all tests that look at its pages."""
    with live_site_in(tmp_path_factory.mktemp("instance")) as running:
        yield running


@pytest.fixture(scope="session")
def admin(site: LiveSite, browser: Browser) -> Iterator[Admin]:
    """An admin who works without a page."""
    context = browser.new_context()
    yield Admin(site, context)
    context.close()


@pytest.fixture
def someone(site: LiveSite, browser: Browser) -> Iterator[Callable[[], Person]]:
    """New voters without pages."""
    with ExitStack() as stack:

        def appear() -> Person:
            context = browser.new_context()
            stack.callback(context.close)
            return Person(site, context.request)

        yield appear


@pytest.fixture
def open_page(site: LiveSite, browser: Browser, admin: Admin, troubles: Troubles) -> Iterator[OpenPage]:
    """Open a page of the site as a new reader: ``open_page("/polls/")``.

    ``as_admin=True`` has the admin's cookies, ``of=page`` those of another page's reader; further keywords are
    Playwright's for a new context.
    """
    with ExitStack() as stack:

        def opened(path: str, *, as_admin: bool = False, of: Page | None = None, **options: Any) -> Page:
            if of is not None:
                context = of.context
            else:
                known = admin.context.storage_state() if as_admin else None
                context = browser.new_context(base_url=site.url, storage_state=known, **options)
                context.set_default_timeout(10_000)
                stack.callback(leave, context)
            page = page_in(context, troubles)
            page.goto(path)
            return page

        yield opened
