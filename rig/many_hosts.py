"""Many hosts that report each second to a running site while a dashboard is open: what is lost, what it costs."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
from playwright.sync_api import Browser, CDPSession

from .live_site import LiveSite, live_site_in
from .people import Admin

LONG_TASK = 100.0
"""Milliseconds that the page may be busy at a time."""
BROWSERS_CALL_LONG = 50.0


@dataclass(slots=True)
class Cost:
    """Of some processes: share of one core, and most memory."""

    cpu: float = 0.0
    memory: int = 0


@dataclass(slots=True)
class Result:
    """What came of it."""

    said: dict[str, Any] = field(default_factory=dict)
    readings: int = 0
    shown: int = 0
    online: int = 0
    router: Cost = field(default_factory=Cost)
    hub: Cost = field(default_factory=Cost)
    long_tasks: list[float] = field(default_factory=list)
    """Milliseconds by the clock on the wall, what other programs took of the processor included."""


@contextmanager
def costs(result: Result, site: LiveSite) -> Iterator[None]:
    """CPU time of router and workers over the block; memory at its end."""
    groups = {"router": _tree(site.node._process), "hub": _tree(site._web)}
    before = {name: sum(_seconds(process) for process in group) for name, group in groups.items()}
    began = time.monotonic()
    yield
    lasted = time.monotonic() - began
    for name, group in groups.items():
        spent = sum(_seconds(process) for process in group) - before[name]
        setattr(result, name, Cost(spent / lasted, sum(process.memory_info().rss for process in group)))


def _tree(program: Any) -> list[psutil.Process]:
    """The processes of a program that we started."""
    return [psutil.Process(program.pid), *psutil.Process(program.pid).children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def enrol(site: LiveSite, token: str, hosts: int) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Enrol this many hosts over HTTP, as agents do; (host, ticket) of each, and the last answer."""
    found, answer = [], {}
    for number in range(hosts):
        body = {
            "host": secrets.token_hex(16), "key": secrets.token_hex(32), "token": token, "name": f"host {number:03}",
            "ip": "192.0.2.1", "agent": "bench", "python": "3", "system": "bench",
        }  # fmt: skip
        request = Request(f"{site.url}/clients/", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as response:
            answer = json.load(response)
        found.append((answer["host"], answer["ticket"]))
    return found, answer


def run(browser: Browser, folder: Path, hosts: int, seconds: int) -> Result:
    """Everything once."""
    result = Result()
    with live_site_in(folder) as site:
        admin = Admin(site, browser.new_context())
        known, answer = enrol(site, admin.new_token(reusable=True), hosts)
        order = {"hosts": known, "url": answer["url"], "realm": answer["realm"], "seconds": seconds}
        command = [sys.executable, "-m", "rig.hosts"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as agents:
            assert agents.stdin is not None
            assert agents.stdout is not None
            try:
                agents.stdin.write(json.dumps(order) + "\n")
                agents.stdin.flush()
                json.loads(agents.stdout.readline())
                with costs(result, site):
                    said: list[str] = []
                    reader = threading.Thread(target=lambda: said.append(agents.stdout.readline()))  # type: ignore[union-attr]
                    reader.start()
                    _look(browser, admin, site, result, reader)
                result.said = json.loads(said[0])
                _count(admin, site, result, known)
            finally:
                agents.kill()
    return result


def _look(browser: Browser, admin: Admin, site: LiveSite, result: Result, until: threading.Thread) -> None:
    """A dashboard that somebody has open, scrolled about, as long as the hosts report."""
    context = browser.new_context(storage_state=admin.context.storage_state())
    page = context.new_page()
    session: CDPSession = context.new_cdp_session(page)
    page.goto(f"{site.url}/dashboard/")
    page.locator('html[data-live="true"]').wait_for(timeout=60_000)
    page.wait_for_timeout(2000)  # what opening costs is not what following costs
    events: list[dict[str, Any]] = []
    done = threading.Event()
    session.on("Tracing.dataCollected", lambda part: events.extend(part["value"]))
    session.on("Tracing.tracingComplete", lambda _: done.set())
    session.send("Tracing.start", {"categories": "disabled-by-default-devtools.timeline,devtools.timeline,toplevel"})
    place = 0
    while until.is_alive():
        place = (place + 700) % 6000
        page.mouse.wheel(0, 700 if place else -6000)
        page.wait_for_timeout(1000)
    result.online = int((page.locator('[data-part="summary"]').text_content() or "0").split()[0])
    result.shown = page.locator(".host").count()
    session.send("Tracing.end")
    while not done.is_set():
        page.wait_for_timeout(100)
    main = {event["tid"] for event in events if event.get("name") in ("FireAnimationFrame", "FunctionCall")}
    tasks = [event for event in events if event.get("name") == "RunTask" and event["tid"] in main]
    milliseconds = (task.get("dur", 0) / 1000 for task in tasks)
    result.long_tasks = sorted((one for one in milliseconds if one > BROWSERS_CALL_LONG), reverse=True)


def _count(admin: Admin, site: LiveSite, result: Result, known: list[tuple[str, str]]) -> None:
    for host, _ in known:
        answer = admin.context.request.get(f"{site.url}/hosts/{host}/history.json?range=1h").json()
        result.readings += len(answer["times"])


def lines(result: Result, hosts: int, seconds: int) -> list[str]:
    """For people."""
    said = result.said
    worst = max(result.long_tasks, default=0.0)
    return [
        (
            f"{hosts} hosts at 1 Hz for {seconds} s: {said['published']} reports published,"
            f" {said['handed_over']} handed over, {said['stored']} confirmed, {result.readings} in the database;"
            f" slowest handover {said['slowest']:.2f} s, {said['setbacks']} times asked again"
        ),
        f"router: {result.router.cpu:.0%} of a core, {result.router.memory / 2**20:.0f} MiB",
        f"hub (2 workers and their parent): {result.hub.cpu:.0%} of a core, {result.hub.memory / 2**20:.0f} MiB",
        (
            f"dashboard: {result.shown} cards, {result.online} online; {len(result.long_tasks)} tasks over"
            f" {BROWSERS_CALL_LONG:.0f} ms, longest {worst:.0f} ms (bound {LONG_TASK:.0f} ms)"
        ),
    ]
