"""Browsers' worth of subscribers, in a process of their own: count every event that arrives.

Run as ``python -m rig.swarm``; :class:`Swarm` is the other end. The WebSocket client is picows, because a slower one
would measure itself.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import IO, Any, Self

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from .delivery import MissingDeliveryError

WELCOME, SUBSCRIBED, EVENT, ABORT = 2, 33, 36, 3
GIVE_UP = 60.0
"""Seconds without what is waited for."""


@dataclass(slots=True)
class Counts:
    """What has arrived at all subscribers.

    :param first: pairs of time and the first subscriber's payload, where that was asked for.
    """

    received: int = 0
    last_at: float = 0.0
    first: list[tuple[float, Any]] = field(default_factory=list)


class Subscriber(WSListener):
    """One page: joins with a ticket, subscribes one topic, counts."""

    def __init__(self, order: dict[str, Any], counts: Counts, keep: bool) -> None:
        self._order = order
        self._counts = counts
        self._keep = keep
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        hello = {"roles": {"subscriber": {}}, "authmethods": ["ticket"], "authid": "page"}
        _send(transport, [1, self._order["realm"], hello])

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.TEXT:
            raw = frame.get_payload_as_bytes()
            if raw.startswith(b"[36,"):
                self._count(raw)
            else:
                self._answer(transport, json.loads(raw))

    def _count(self, raw: bytes) -> None:
        counts = self._counts
        counts.received += 1
        counts.last_at = time.time()
        if self._keep:
            counts.first.append((counts.last_at, json.loads(raw)[4:]))

    def _answer(self, transport: WSTransport, message: list[Any]) -> None:
        match message:
            case [4, *_]:
                _send(transport, [5, self._order["ticket"], {}])
            case [2, *_]:
                _send(transport, [32, 1, {}, self._order["topic"]])
            case [33, *_]:
                self.ready.set_result(None)
            case _:
                self.ready.set_exception(RuntimeError(f"The router said {message}"))


def _send(transport: WSTransport, message: list[Any]) -> None:
    transport.send(WSMsgType.TEXT, json.dumps(message).encode())


async def _run(order: dict[str, Any]) -> None:
    counts = Counts()
    subscribers = [await _join(order, counts, keep=not number) for number in range(order["subscribers"])]
    print(json.dumps({"ready": len(subscribers)}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await _wait_for(counts, json.loads(line)["expected"])
        print(json.dumps({"received": counts.received, "last_at": counts.last_at, "first": counts.first}), flush=True)
        counts.received, counts.first = 0, []


async def _join(order: dict[str, Any], counts: Counts, *, keep: bool) -> Subscriber:
    headers = [("Sec-WebSocket-Protocol", "wamp.2.json")]
    subscriber = Subscriber(order, counts, keep and order["keep"])
    await ws_connect(lambda: subscriber, order["url"], extra_headers=headers)
    await asyncio.wait_for(subscriber.ready, GIVE_UP)
    return subscriber


async def _wait_for(counts: Counts, expected: int | None) -> None:
    """Until ``expected`` events came, or none has come for a while."""
    quiet_since, seen = time.monotonic(), -1
    patience = 2.0 if expected is None else GIVE_UP
    while counts.received != expected and time.monotonic() - quiet_since < patience:
        if counts.received != seen:
            quiet_since, seen = time.monotonic(), counts.received
        await asyncio.sleep(0.005)


class Swarm:
    """Starts the subscribers, and asks them what they got.

    :param keep: have the first subscriber keep its events with their times.
    """

    def __init__(self, url: str, realm: str, ticket: str, topic: str, subscribers: int, *, keep: bool = False) -> None:
        order = {"url": url, "realm": realm, "ticket": ticket, "topic": topic, "subscribers": subscribers, "keep": keep}
        command = [sys.executable, "-m", "rig.swarm", json.dumps(order)]
        self._subscribers = subscribers
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def take(self, published: int | None) -> dict[str, Any]:
        """Wait for ``published`` events at every subscriber (``None``: until it is quiet) and return the counts.

        :raises MissingDeliveryError: when any is missing, or comes twice.
        """
        expected = None if published is None else published * self._subscribers
        _stdin(self._process).write(json.dumps({"expected": expected}) + "\n")
        _stdin(self._process).flush()
        result = self._read()
        if expected is not None and result["received"] != expected:
            raise MissingDeliveryError(f"{result['received']} of {expected} events arrived.")
        return result

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise MissingDeliveryError("The subscribers' process has ended.")
        result: dict[str, Any] = json.loads(line)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


def _stdin(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdin is not None
    return process.stdin


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
