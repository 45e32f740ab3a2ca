"""Open pages in a process of their own: each has its WebSocket, and shows the number that was sent last.

Run as ``python -m bench.watchers``; :class:`Watchers` is the other end. What a page's JavaScript would do is done here:
with wampflask join, subscribe, ask, and show the state with the greatest number; with Turbo-Flask show what comes.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from typing import Any, Self

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

LEFT = re.compile(r"<b>(\d+)<")
SAMPLE = 20
"""Pages that note when they showed what."""
FETCH = "wampflask.live.fetch"
PATIENCE = 20.0


class Page(WSListener):
    """One page. ``shown``: the number in its card; ``notes``: when it showed what."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self.events = 0
        self.shown: int | None = None
        self.number = 0
        self.notes: list[tuple[float, int]] | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: WSTransport | None = None

    async def open(self) -> None:
        """Connect, and be up to date as far as that side can be."""
        self.number = 0
        self.ready = asyncio.get_running_loop().create_future()
        headers = [("Sec-WebSocket-Protocol", "wamp.2.json")] if "ticket" in self._order else None
        await ws_connect(lambda: self, self._order["url"], extra_headers=headers)
        await asyncio.wait_for(self.ready, PATIENCE)

    def close(self) -> None:
        """The connection is lost."""
        if self.transport is not None:
            self.transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if "ticket" in self._order:
            hello = {"roles": {"subscriber": {}, "caller": {}}, "authmethods": ["ticket"], "authid": "page"}
            self._send([1, self._order["realm"], hello])
        else:
            self.ready.set_result(None)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.TEXT:
            text = frame.get_payload_as_utf8_text()
            if "ticket" in self._order:
                self._hear(json.loads(text))
            else:
                self.events += 1
                self._show(text)

    def _hear(self, message: list[Any]) -> None:
        match message:
            case [36, _, _, _, [[_, text], number]]:
                self.events += 1
                self._show(text, number)
            case [4, *_]:
                self._send([5, self._order["ticket"], {}])
            case [2, *_]:
                self._send([32, 1, {}, self._order["topic"]])
            case [33, *_]:  # ask, as a page does whose card is another one
                self._send([48, 2, {}, FETCH, [[[*self._order["entry"], ""]]]])
            case [50, _, _, [[[[_, text], number]]]]:
                self._show(text, number)
                if not self.ready.done():
                    self.ready.set_result(None)
            case _:
                self.ready.set_exception(RuntimeError(f"The router said {message}"))

    def _show(self, text: str, number: int | None = None) -> None:
        if number is not None and number <= self.number:
            return
        self.number = number or 0
        found = LEFT.search(text)
        assert found, text
        self.shown = int(found[1])
        if self.notes is not None:
            self.notes.append((time.time(), self.shown))

    def _send(self, message: list[Any]) -> None:
        assert self.transport is not None
        self.transport.send(WSMsgType.TEXT, json.dumps(message).encode())


async def _open(pages: list[Page]) -> tuple[int, float]:
    """How many could be opened, 20 at a time, and in how many seconds."""
    begin = time.monotonic()
    gate = asyncio.Semaphore(20)

    async def one(page: Page) -> bool:
        async with gate:
            try:
                await page.open()
            except (TimeoutError, OSError):
                return False
            return True

    opened = await asyncio.gather(*(one(page) for page in pages))
    return sum(opened), time.monotonic() - begin


async def _run(order: dict[str, Any]) -> None:
    pages = [Page(order) for _ in range(order["pages"])]
    print(json.dumps(await _open(pages)), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await _do(line.strip(), pages)), flush=True)


async def _do(what: str, pages: list[Page]) -> Any:
    match what:
        case "begin":
            for number, page in enumerate(pages):
                page.events, page.notes = 0, [] if number < SAMPLE else None
        case "report":
            return {
                "events": sum(page.events for page in pages) / len(pages),
                "notes": [page.notes for page in pages if page.notes is not None],
                "shown": [page.shown for page in pages],
            }
        case "lose":
            for page in pages:
                page.close()
        case "return":
            return await _open(pages)
    return None


class Watchers:
    """Opens pages. ``opened``: how many could be, ``seconds``: in which time.

    :param order: ``url``; with wampflask also ``realm``, ``ticket``, ``topic`` and the fragment's ``entry``.
    """

    def __init__(self, order: dict[str, Any], pages: int) -> None:
        command = [sys.executable, "-m", "bench.watchers", json.dumps({**order, "pages": pages})]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.opened, self.seconds = self._read()

    def do(self, what: str) -> Any:
        """``begin``, ``report``, ``lose``, ``return``."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        assert line, "The pages' process has ended."
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
