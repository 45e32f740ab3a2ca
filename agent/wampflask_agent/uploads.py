"""Uploads: the buffer's reports, sent to the hub for its history."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .buffer import Buffer
from .calls import CallError, Setbacks, explain
from .fields import integer

if TYPE_CHECKING:  # only the link loads autobahn
    from .session import Session

APPEND = "monitor.history.append"
INVALID = "monitor.error.invalid"
PAUSE = (0.1, 0.4)
"""Seconds between two batches of a backlog, so that many agents at once leave the hub room."""
LAST_TIMEOUT = 1.0

log = logging.getLogger("agent")
_random = random.SystemRandom()


class Uploads:
    """Uploads reports in batches, one at a time.

    :param gather: returns the seconds for which reports are gathered before they are uploaded.
    """

    def __init__(self, buffer: Buffer, gather: Callable[[], float]) -> None:
        self._buffer = buffer
        self._gather = gather
        self._session: Session | None = None
        self._waiting = asyncio.Event()
        self._one = asyncio.Lock()
        self._setbacks = Setbacks()

    def append(self, report: dict[str, Any]) -> None:
        """Keep a report until the hub has stored it."""
        self._buffer.append(report)
        self._waiting.set()

    async def run(self, session: Session) -> None:
        """Upload over a session that the hub has welcomed, until cancelled."""
        self._session = session
        self._setbacks = Setbacks()
        try:
            delay: float | None = None
            while True:
                if not len(self._buffer):
                    self._waiting.clear()
                    await self._waiting.wait()
                await asyncio.sleep(self._pause() if delay is None else delay)
                delay = await self._upload(session)
        finally:
            self._session = None

    async def finish(self) -> None:
        """Upload one last batch before the program ends, if that is quick."""
        if self._session is not None:
            try:
                await asyncio.wait_for(self._upload(self._session), LAST_TIMEOUT)
            except asyncio.TimeoutError:
                log.debug("The last upload was not confirmed in time.")

    def _pause(self) -> float:
        return _random.uniform(*PAUSE) if self._buffer.full_batch else self._gather()

    async def _upload(self, session: Session) -> float | None:
        """Upload one batch and return the seconds until the next; None when nothing went wrong."""
        async with self._one:
            if not len(self._buffer):
                return None
            batch = self._buffer.batch()
            try:
                answer = await session.ask(APPEND, batch, dropped=self._buffer.dropped, clock=round(time.time(), 3))
                stored = integer(answer, "stored", 0)
                self._buffer.confirm(stored)
            except CallError as error:
                if error.uri == INVALID:
                    log.warning("The hub cannot store reports: %s", explain(error))
                    self._buffer.refuse()
                    return PAUSE[0]
                return self._setbacks.after(APPEND, error)
            except Exception as error:  # a boundary: the answer may be anything, the reports stay in the buffer
                return self._setbacks.after(APPEND, error)
            finally:
                self._buffer.again()
            if stored < batch[0]["seq"]:
                return self._setbacks.after(APPEND, RuntimeError("the hub stored nothing"))
            self._setbacks.clear()
            return None
