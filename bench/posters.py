"""Buyers in a process of their own: a number at a time, as fast as they are answered or at a fixed rate.

Run as ``python -m bench.posters``; :func:`post` is the other end.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Sale:
    """One answered POST. ``left``: after it; ``at``: when it was committed; ``pid``: by whom; ``took``: seconds."""

    left: int
    at: float
    pid: int
    took: float


def post(url: str, seconds: float, *, posters: int = 8, rate: float | None = None, apart: bool = False) -> list[Sale]:
    """Post for some seconds; every answered one.

    :param rate: a second, over all posters; None for as fast as they are answered.
    :param apart: each in a connection of its own, so that any worker may get it.
    """
    order = {"url": url, "seconds": seconds, "posters": posters, "rate": rate, "apart": apart}
    command = [sys.executable, "-m", "bench.posters", json.dumps(order)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 60)
    return [Sale(*sale) for sale in json.loads(done.stdout)]


async def _run(order: dict[str, Any]) -> None:
    sales: list[Sale] = []
    begin = time.monotonic()
    turns = iter(range(10**9))

    async def poster(http: aiohttp.ClientSession) -> None:
        while time.monotonic() < begin + order["seconds"]:
            if order["rate"]:
                await asyncio.sleep(max(0.0, begin + next(turns) / order["rate"] - time.monotonic()))
            asked = time.monotonic()
            async with http.post(order["url"]) as answer:
                found = await answer.json()
            sales.append(Sale(found["left"], found["at"], found["pid"], time.monotonic() - asked))

    connector, timeout = aiohttp.TCPConnector(force_close=order["apart"]), aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        await asyncio.gather(*(poster(http) for _ in range(order["posters"])))
    print(json.dumps([[sale.left, sale.at, sale.pid, sale.took] for sale in sales]))


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
