"""The link to the hub: enrol, join, serve, and all of it again after whatever ended it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from .calls import RouterError, explain
from .errors import AgentError
from .hub import Enrolled, HubError, Refused
from .session import Session, join
from .threads import in_thread

FIRST_DELAY = 1.0
GROWTH = 1.5
MAX_DELAY = 10.0
"""Seconds between two attempts to connect, at most; a random part of up to half of it is left out."""
STEADY = 30.0
"""Seconds; after a session that lasted so long, the next attempt comes as soon as the first one."""

log = logging.getLogger("agent")
_random = random.SystemRandom()


class Link:
    """Keeps one session with the router.

    :param enrol: asks the hub; blocks, so it is called in a thread.
    :param on_enrolled: called with the hub's answer before each session.
    :param serve: awaited with a session that has joined, and cancelled when the session has ended.
    """

    def __init__(
        self,
        enrol: Callable[[], Enrolled],
        *,
        on_enrolled: Callable[[Enrolled], None],
        serve: Callable[[Session], Awaitable[None]],
    ) -> None:
        self._enrol = enrol
        self._on_enrolled = on_enrolled
        self._serve = serve
        self._logged = ""

    async def run(self) -> None:
        """Keep a session until cancelled, which ends the session in order."""
        loop = asyncio.get_running_loop()
        attempts = 0
        while True:
            began, wait = loop.time(), 0.0
            try:
                problem = await self._attempt()
            except Refused as error:
                problem, wait = f"The hub refuses this host: {error}", error.wait
            except (HubError, AgentError) as error:
                problem = f"No hub: {error}"
            except RouterError as error:
                problem = f"No router: {error}"
            except Exception as error:  # a boundary: whatever it was, the host is to be monitored again
                problem = f"Unexpected: {explain(error)}"
                log.debug("Unexpected", exc_info=True)
            attempts = 1 if loop.time() - began >= STEADY else attempts + 1
            self._log(problem)
            await asyncio.sleep(_delay(attempts, wait))

    async def _attempt(self) -> str:
        """Hold one session, and return why it ended."""
        enrolled = await in_thread(self._enrol)
        self._on_enrolled(enrolled)
        session = await join(enrolled)
        self._logged = ""
        log.info("Joined the hub's router.")
        serving = asyncio.ensure_future(self._serve(session))
        ended = asyncio.ensure_future(session.ended.wait())
        try:
            await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not session.ended.is_set():
                serving.result()  # raises what went wrong
        finally:
            serving.cancel()
            ended.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            await session.close()
        return f"Disconnected: {session.reason or f'{enrolled.url} closed the connection'}"

    def _log(self, problem: str) -> None:
        if problem != self._logged:
            log.warning("%s. Retrying; further attempts are logged only when the error changes.", problem.rstrip("."))
            self._logged = problem


def _delay(attempts: int, wait: float) -> float:
    """Return seconds until the next attempt.

    :param wait: what the hub asked for, 0 for nothing.
    """
    longest = wait or min(FIRST_DELAY * GROWTH ** min(attempts - 1, 16), MAX_DELAY)
    return _random.uniform(longest / 2, longest)
