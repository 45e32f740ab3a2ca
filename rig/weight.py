"""What a page loads, as the browser counts it: files, bytes on the wire, what moved after it was drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, CDPSession, Page

SHIFT = """
    window.layoutShift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.layoutShift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
"""
SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 51_200, "uploadThroughput": 51_200}
"""Chromium's words; milliseconds, and bytes a second."""


@dataclass
class Request:
    """One answer from the network or the browser's cache."""

    path: str = ""
    kind: str = ""
    is_cached: bool = False
    size: int = 0


@dataclass
class Weight:
    """What was loaded since the page was opened.

    :param page: the page, with ``window.layoutShift``.
    """

    page: Page
    devtools: CDPSession
    _requests: dict[str, Request] = field(default_factory=dict)

    @property
    def loaded(self) -> list[Request]:
        """What came over the network: the page first."""
        return [request for request in self._requests.values() if request.path and not request.is_cached]

    @property
    def files(self) -> list[str]:
        """Paths of what came over the network besides the page and its ticket."""
        return [one.path for one in self.loaded if one.kind != "Document" and one.path != "/wamp/ticket"]

    @property
    def size(self) -> int:
        """Bytes on the wire, headers included."""
        return sum(request.size for request in self.loaded)

    @property
    def shift(self) -> float:
        """How much moved without anybody having done anything: the cumulative layout shift."""
        return float(self.page.evaluate("window.layoutShift"))

    def slow_down(self) -> None:
        """Have the page run on a slow 3G network and a processor of a quarter of the speed."""
        self.devtools.send("Network.emulateNetworkConditions", SLOW_3G)
        self.devtools.send("Emulation.setCPUThrottlingRate", {"rate": 4})

    def watch(self) -> None:
        """Begin to count."""
        self.page.add_init_script(SHIFT)
        self.devtools.on("Network.responseReceived", self._received)
        self.devtools.on("Network.requestServedFromCache", self._cached)
        self.devtools.on("Network.loadingFinished", self._finished)
        self.devtools.send("Network.enable")

    def _of(self, event: dict[str, Any]) -> Request:
        return self._requests.setdefault(event["requestId"], Request())

    def _received(self, event: dict[str, Any]) -> None:
        answer, request = event["response"], self._of(event)
        if answer["url"].startswith("http"):
            request.path, request.kind = urlsplit(answer["url"]).path, event["type"]
        request.is_cached = request.is_cached or bool(answer.get("fromDiskCache"))

    def _cached(self, event: dict[str, Any]) -> None:
        self._of(event).is_cached = True

    def _finished(self, event: dict[str, Any]) -> None:
        self._of(event).size = int(event["encodedDataLength"])


@contextmanager
def weighed(context: BrowserContext) -> Iterator[Weight]:
    """Give a new page of ``context`` that counts what it loads."""
    page = context.new_page()
    weight = Weight(page, context.new_cdp_session(page))
    weight.watch()
    try:
        yield weight
    finally:
        page.close()
