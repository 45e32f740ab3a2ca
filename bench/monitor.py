"""500 hosts at one report a second for a minute, against a real router and a real site: what is lost, what it costs.

Run as ``python -m bench.monitor [hosts] [seconds]``. The hosts are one process of WebSocket clients that say what an
agent says (``wampflask/apps/monitor/contract.py``); a dashboard is open in Chromium the whole time, traced. The browser
has the last core for itself, as the reader has a computer of their own; hub, router and hosts share the others.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from playwright.sync_api import Browser, CDPSession

from tests.browser.agents import new_token
from tests.browser.browsing import chromium
from tests.browser.live_site import Admin, LiveSite, live_site_in

HOSTS = 500
SECONDS = 60
HANDOVER = 10.0
LONG_TASK = 100.0
"""Milliseconds that the page may be busy at a time."""
BROWSERS_CALL_LONG = 50.0

# -- the hosts: a process of their own


class BusyError(Exception):
    """The hub has too much to do."""


class FakeAgent(WSListener):
    """One host: enrolled already, joins, reports each second, hands its samples over."""

    def __init__(self, host: str, ticket: str, realm: str, number: int) -> None:
        self.host = host
        self._ticket = ticket
        self._realm = realm
        self._number = number
        self._transport: WSTransport | None = None
        self._request = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.published = self.stored = self.seq = self.setbacks = 0
        self.slowest = 0.0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        roles: dict[str, dict[str, Any]] = {"publisher": {}, "caller": {}, "callee": {}}
        self._send([1, self._realm, {"roles": roles, "authmethods": ["ticket"], "authid": "agent"}])

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.TEXT:
            self._hear(json.loads(frame.get_payload_as_bytes()))

    def _hear(self, message: list[Any]) -> None:
        match message:
            case [4, *_]:
                self._send([5, self._ticket, {}])
            case [2, *_]:
                self.joined.set_result(None)
            case [50, request, _, *rest]:
                self._waiting.pop(request).set_result(rest[0][0] if rest and rest[0] else None)
            case [65, request, *_]:
                self._waiting.pop(request).set_result(None)
            case [8, _, request, _, "wampflask.error.busy", *_]:
                self._waiting.pop(request).set_exception(BusyError("The hub is busy."))
            case [8, _, request, _, uri, *rest]:
                self._waiting.pop(request).set_exception(RuntimeError(f"{uri} {rest}"))
            case [68, request, _, _, *rest]:  # the hub calls watch: each second it is anyway
                self._send([70, request, {}, [{"interval": 1.0, "args": rest[:1]}]])
            case [3, *_] | [6, *_]:
                raise RuntimeError(f"The router said {message}")

    def _send(self, message: list[Any]) -> None:
        assert self._transport is not None
        self._transport.send(WSMsgType.TEXT, json.dumps(message).encode())

    async def ask(self, kind: int, *more: Any) -> Any:
        """An answer; a hub that is busy is asked again, as agents do."""
        for setback in range(1, 8):
            try:
                return await self._ask(kind, *more)
            except BusyError:
                self.setbacks += 1
                await asyncio.sleep(random.uniform(0.5, 1.0) * 2**setback)
        raise BusyError("The hub stayed busy.")

    async def _ask(self, kind: int, *more: Any) -> Any:
        self._request += 1
        answer = self._waiting[self._request] = asyncio.get_running_loop().create_future()
        self._send([kind, self._request, {}, *more])
        return await asyncio.wait_for(answer, 60)

    async def live(self, start: float, seconds: int) -> None:
        await self.ask(64, f"monitor.host.{self.host}.watch")
        hello = {
            "agent": "bench",
            "run": "x",
            "version": 1,
            "metrics": [],
            "pending": 0,
            "dropped": 0,
            "clock": time.time(),
        }
        await self.ask(48, "monitor.agent.ready", [hello])
        waiting: list[dict[str, Any]] = []
        handover = start + (self._number % 10) * HANDOVER / 10
        for tick in range(seconds):
            await asyncio.sleep(max(0.0, start + tick + (self._number % 100) / 100 - time.monotonic()))
            sample = self._sample(tick)
            self._request += 1
            self._send([16, self._request, {}, f"monitor.clientstats.{self.host}", [sample]])
            self.published += 1
            self.seq += 1
            waiting.append({**sample, "seq": self.seq})
            if time.monotonic() > handover:
                handover += HANDOVER
                await self._hand_over(waiting)
        await self._hand_over(waiting)

    async def _hand_over(self, waiting: list[dict[str, Any]]) -> None:
        if not waiting:
            return
        began = time.monotonic()
        answer = await self.ask(48, "monitor.history.append", [list(waiting)], {"clock": time.time()})
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.stored = answer["stored"]
        waiting.clear()

    def _sample(self, tick: int) -> dict[str, Any]:
        cpu = (self._number * 7 + tick * 3) % 100 / 100
        return {
            "host": self.host, "name": f"host {self._number:03}", "ip": "192.0.2.1", "time": round(time.time(), 3),
            "interval": 1.0, "version": 1, "cpu": cpu, "cpus": [cpu] * 8, "load": [1.0, 0.9, 0.8],
            "memory": {"total": 2**34, "used": 2**33, "available": 2**33, "ratio": 0.5},
            "swap": {"total": 0, "used": 0, "ratio": 0.0},
            "disks": {"/": {"total": 2**38, "used": 2**37, "free": 2**37, "ratio": 0.5}},
            "disk_io": {"sda": {"read": 1e6, "written": 2e6, "reads": 10.0, "writes": 20.0}},
            "network": {"eth0": {"received": 1e5, "sent": 2e5, "errors": 0.0}},
            "uptime": 12345.6, "processes": 200,
        }  # fmt: skip


async def _run(order: Mapping[str, Any]) -> None:
    agents = []
    for number, (host, ticket) in enumerate(order["hosts"]):
        agent = FakeAgent(host, ticket, order["realm"], number)
        headers = [("Sec-WebSocket-Protocol", "wamp.2.json")]
        await ws_connect(lambda agent=agent: agent, order["url"], extra_headers=headers)
        await asyncio.wait_for(agent.joined, 30)
        agents.append(agent)
    print(json.dumps({"joined": len(agents)}), flush=True)
    start = time.monotonic() + 1
    await asyncio.gather(*(agent.live(start, order["seconds"]) for agent in agents))
    await asyncio.sleep(1)
    said = {
        "published": sum(agent.published for agent in agents),
        "handed_over": sum(agent.seq for agent in agents),
        "stored": sum(agent.stored for agent in agents),
        "setbacks": sum(agent.setbacks for agent in agents),
        "slowest": max(agent.slowest for agent in agents),
    }
    print(json.dumps(said), flush=True)
    await asyncio.Event().wait()  # they stay online until the other side has looked


# -- what is measured


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


def run(browser: Browser, folder: Path, hosts: int = HOSTS, seconds: int = SECONDS) -> Result:
    """Everything once."""
    result = Result()
    with live_site_in(folder) as site:
        admin = Admin(site, browser.new_context())
        known, answer = enrol(site, new_token(admin, reusable=True), hosts)
        order = {"hosts": known, "url": answer["url"], "realm": answer["realm"], "seconds": seconds}
        command = [sys.executable, "-m", "bench.monitor", "--hosts"]
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


def main() -> int:
    """Run and print; 1 when something was lost or the page was not usable."""
    if sys.argv[1:] == ["--hosts"]:
        asyncio.run(_run(json.loads(sys.stdin.readline())))
        return 0
    hosts, seconds = (int(text) for text in (*sys.argv[1:], *map(str, (HOSTS, SECONDS)[len(sys.argv) - 1 :])))
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        os.sched_setaffinity(0, cores[:-1] or cores)
        result = run(browser, Path(folder), hosts, seconds)
    for line in lines(result, hosts, seconds):
        print(line, flush=True)
    lost = hosts * seconds - min(result.said["stored"], result.readings)
    print(f"lost: {lost}")
    return 0 if not lost and not any(one > LONG_TASK for one in result.long_tasks) else 1


if __name__ == "__main__":
    sys.exit(main())
