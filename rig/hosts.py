"""Many hosts in one process of WebSocket clients, which say what agents say (``wampflask/apps/monitor/contract.py``).

Run as ``python -m rig.hosts``; ``rig/many_hosts.py`` is the other end. It reads one line of JSON, prints a line when
all hosts have joined, and another one when all have handed over their last samples.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Mapping
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

HANDOVER = 10.0


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


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.stdin.readline())))
