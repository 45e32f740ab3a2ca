"""A real Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as PlaywrightError

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The browser to drive: ``CHROMIUM``, or one that the system has; None for Playwright's own.

    The headless shell is the same engine without windows, and takes two thirds of the processor time.
    """
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser.

    :raises RuntimeError: there is none. The pages are not tested without one, so nothing is skipped.
    """
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        except PlaywrightError as error:
            raise RuntimeError(
                "No browser: install Chromium (Debian: chromium-headless-shell), run "
                "`playwright install --only-shell chromium`, or name one with CHROMIUM=/path/to/chromium."
            ) from error
        try:
            yield browser
        finally:
            browser.close()
