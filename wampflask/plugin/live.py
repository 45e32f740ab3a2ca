"""What the router does for live things: it numbers states and knows who is here. In its reactor thread."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallOptions
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from txaio.tx import call_later, make_logger

from . import roster, stamps

SOON = 0.05
"""Seconds from a page's question to the look that finds it subscribed."""
PATIENCE = 60
"""Seconds for a worker's handlers; then another worker is notified."""

log = make_logger()


class Live:
    """For one realm.

    :param session: the plugin's own, in that realm.
    :param file: keeps who is here over restarts of the router.
    """

    def __init__(self, session: Any, file: Path) -> None:
        self._session = session
        self._file = file
        self._roster = roster.Roster(self._subscriptions_to)
        self._is_notifying = False

    async def begin(self) -> None:
        """Answer workers from now on, and look who is here."""
        self._remember()
        await self._session.register(stamps.Stamps(self._subscriptions_to).stamp, stamps.PROCEDURE)
        await self._session.register(self._roster.people, roster.PROCEDURE)
        await self._session.register(self._roster.whereabouts, roster.WHEREABOUTS)
        LoopingCall(self._look).start(roster.INTERVAL, now=False).addErrback(_log_bug)

    def allowed(self, topic: str) -> None:
        """Prepare for a page that may subscribe to ``topic`` and is about to."""
        if topic.endswith(f".{roster.LAST}"):
            self._roster.expect(topic)
            call_later(SOON, self._look)

    def _subscriptions_to(self, topic: str) -> Any:
        """Return Crossbar's subscriptions that events of ``topic`` go to."""
        router = self._session._transport._router  # noqa: SLF001 - Crossbar offers no other
        return router._broker._subscription_map.match_observations(topic)  # noqa: SLF001 - same

    def _look(self) -> None:
        """Notify a worker of what has changed; what no worker takes is sent again at a later look."""
        self._roster.look()
        if self._is_notifying or not (news := self._roster.take_news()):
            return
        self._is_notifying = True
        notifying = self._session.call(roster.CHANGED, news, options=CallOptions(timeout=PATIENCE))
        notifying.addBoth(self._notified, news).addErrback(_log_bug)

    def _notified(self, result: Any, news: list[list[Any]]) -> None:
        self._is_notifying = False
        if isinstance(result, Failure):
            self._roster.give_back(news)
            result.trap(ApplicationError)  # no worker is there, or it went before it answered
        else:
            self._keep()

    def _keep(self) -> None:
        """Replace the file in one step: half a file would lose everyone."""
        new = self._file.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._roster.kept(), file)
        new.replace(self._file)

    def _remember(self) -> None:
        try:
            self._roster.restore(json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError):
            log.failure("wampflask: who was here before the router's start is not known: {log_failure.value}")


def _log_bug(failure: Any) -> None:
    log.failure("wampflask: live things: {log_failure.value}", failure=failure)
