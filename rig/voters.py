"""A hall full of voters, in a process of their own: each with cookies and a form of their own, each voting once.

Run as ``python -m rig.voters``; :class:`Voters` is the other end. A vote whose answer was lost on the way is sent
again, as a person would; "you have voted already" then says that it was counted.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any, Self

import aiohttp

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
COUNTED, VOTED_ALREADY = 200, 409
PATIENCE = 60.0
"""Seconds in which a voter tries again."""


@dataclass(slots=True)
class Voter:
    """Somebody with the vote form before them."""

    cookies: str
    token: str
    choice: int


async def _open_form(http: aiohttp.ClientSession, order: dict[str, Any], number: int) -> Voter:
    async with http.get(order["page"]) as answer:
        text = await answer.text()
        jar: SimpleCookie = SimpleCookie()
        for header in answer.headers.getall("Set-Cookie", []):
            jar.load(header)
    found = TOKEN.search(text)
    assert found, f"no form at {order['page']}: {answer.status}"
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())
    return Voter(cookies, found[1], order["choices"][number % len(order["choices"])])


async def _vote(http: aiohttp.ClientSession, order: dict[str, Any], voter: Voter) -> tuple[float, bool]:
    """When, and whether, the voter's answer said that the vote is counted."""
    headers = {"Cookie": voter.cookies, "Accept": "application/json"}
    form = {"csrf_token": voter.token, "choice": str(voter.choice)}
    give_up, tried = time.monotonic() + PATIENCE, 0
    while time.monotonic() < give_up:
        tried += 1
        try:
            async with http.post(order["page"], data=form, headers=headers) as answer:
                await answer.read()
                if answer.status == COUNTED or (answer.status == VOTED_ALREADY and tried > 1):
                    return time.time(), True
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(0.05)
    return time.time(), False


async def _run(order: dict[str, Any]) -> None:
    limits = aiohttp.TCPConnector(limit=order["at_once"])
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(connector=limits, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout) as http:
        voters = await asyncio.gather(*(_open_form(http, order, number) for number in range(order["voters"])))
        print(json.dumps({"ready": len(voters)}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        begin = time.time()
        results = await asyncio.gather(*(_vote(http, order, voter) for voter in voters))
    answered = sorted(moment for moment, counted in results if counted)
    print(json.dumps({"begin": begin, "answered": answered}), flush=True)


class Voters:
    """Opens every voter's form, and lets them vote on a signal.

    :param page: the question's address. :param choices: ids that they pick in turn.
    :param at_once: connections, that is votes under way at the same time.
    """

    def __init__(self, page: str, choices: list[int], voters: int, at_once: int = 16) -> None:
        order = {"page": page, "choices": choices, "voters": voters, "at_once": at_once}
        command = [sys.executable, "-m", "rig.voters", json.dumps(order)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def begin(self) -> None:
        """Let them vote."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def finish(self) -> tuple[float, list[float]]:
        """When they began, and when each counted vote was answered; wait until all are done."""
        result = self._read()
        return result["begin"], result["answered"]

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        assert line, "The voters' process has ended."
        result: dict[str, Any] = json.loads(line)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
