"""What a page weighs and costs, from the bundles and from single files: ``python -m bench.assets``.

Files and bytes of a ballot opened for the first time and again, of a list in the admin; when a ballot may be voted on
and is live on slow 3G with a processor of a quarter of the speed; gunicorn's processor time for a file.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import psutil
from playwright.sync_api import Browser

from rig.browser import chromium
from rig.live_site import LiveSite, live_site_in
from rig.people import Admin
from rig.weight import Weight, weighed

FETCHES = 400
SETTLED = 1500.0  # ms in which nothing more is loaded
MODES = {"bundles": "1", "single files": "0"}
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def measure() -> Iterator[str]:
    """Give a line for each page in each mode."""
    for name, bundles in MODES.items():
        env = {"WAMPFLASK_BUNDLES": bundles}
        with (
            tempfile.TemporaryDirectory(prefix="wampflask-") as folder,
            live_site_in(Path(folder), env=env) as site,
            chromium() as browser,
        ):
            for line in _of(site, browser):
                yield f"{name}: {line}"


def _of(site: LiveSite, browser: Browser) -> Iterator[str]:
    office = browser.new_context()
    poll = Admin(site, office).new_poll("Which way?", "Left", "Right")
    url = f"{site.url}/polls/{poll}/"
    visitor = browser.new_context()
    paths: list[str] = []
    for visit in ("first", "second", "third"):
        with weighed(visitor) as weight:
            _open(weight, url)
            paths = paths or weight.files
            yield f"ballot, {visit} visit: {_said(weight)}"
    for visit in ("first", "second"):
        with weighed(office) as weight:
            _open(weight, f"{site.url}/admin/questions/")
            yield f"admin's list, {visit} visit: {_said(weight)}"
    with weighed(browser.new_context()) as weight:
        yield f"ballot on slow 3G, a quarter of the processor: {_slowly(weight, url)}"
    static = [path for path in paths if not path.endswith("/qr.svg")]
    yield f"gunicorn's processor time: {_cost(site, static):.2f} ms for each of the ballot's {len(static)} static files"


def _open(weight: Weight, url: str) -> None:
    weight.page.goto(url)
    weight.page.wait_for_timeout(SETTLED)


def _said(weight: Weight) -> str:
    return f"{len(weight.files)} files, {weight.size / 1000:.0f} kB with the page, layout shift {weight.shift:.3f}"


def _slowly(weight: Weight, url: str) -> str:
    weight.slow_down()
    page = weight.page
    begin = time.monotonic()
    page.goto(url, wait_until="commit")
    page.locator("form [data-part=send]").wait_for(state="attached")
    votable = time.monotonic() - begin
    page.locator("html[data-connection=open]").wait_for(timeout=60_000)
    live = time.monotonic() - begin
    painted = page.evaluate(PAINTED) / 1000
    return f"form there after {votable:.1f} s, painted after {painted:.1f} s, live after {live:.1f} s"


def _cost(site: LiveSite, paths: list[str]) -> float:
    """Return ms of all workers' processor time for each file."""
    workers = psutil.Process(site.pid).children()
    with closing(HTTPConnection("127.0.0.1", site.port)) as connection:
        begin = _used(workers)
        for number in range(FETCHES):
            connection.request("GET", paths[number % len(paths)], headers={"Accept-Encoding": "br"})
            connection.getresponse().read()
        return (_used(workers) - begin) / FETCHES * 1000


def _used(workers: list[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (worker.cpu_times() for worker in workers))


if __name__ == "__main__":
    for line in measure():
        print(line, flush=True)
