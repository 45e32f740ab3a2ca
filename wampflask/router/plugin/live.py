"""What the router does for live things: it numbers states and knows who is here. In its reactor thread."""

from __future__ import annotations

from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.internet.task import LoopingCall
from txaio.tx import call_later, make_logger

from . import roster, stamps

SOON = 0.05
"""Seconds from a page's question to the look that finds it subscribed."""

log = make_logger()


class Live:
    """For one realm.

    :param session: the plugin's own, in that realm.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._roster = roster.Roster(self._subscriptions_to)
        self._looking = False

    async def begin(self) -> None:
        """Answer workers from now on, and look who is here."""
        await self._session.register(stamps.Stamps(self._subscriptions_to).stamp, stamps.PROCEDURE)
        await self._session.register(self._roster.people, roster.PROCEDURE)
        await self._session.register(self._roster.whereabouts, roster.WHEREABOUTS)
        LoopingCall(self._look).start(roster.INTERVAL, now=False).addErrback(_log_bug)

    def allowed(self, topic: str) -> None:
        """A page may subscribe to ``topic``, and is about to."""
        if topic.endswith(f".{roster.LAST}"):
            self._roster.expect(topic)
            call_later(SOON, self._look)

    def _subscriptions_to(self, topic: str) -> Any:
        """Crossbar's subscriptions that events of ``topic`` go to."""
        router = self._session._transport._router  # noqa: SLF001 - Crossbar offers no other
        return router._broker._subscription_map.match_observations(topic)  # noqa: SLF001 - same

    def _look(self) -> None:
        """Tell a worker what has changed; what no worker takes is told at a later look."""
        news = self._roster.look()
        if not news or self._looking:
            return
        self._looking = True
        self._session.call(roster.CHANGED, news).addCallbacks(self._told, self._not_told).addErrback(_log_bug)

    def _told(self, _result: object) -> None:
        self._looking = False
        self._roster.told()

    def _not_told(self, failure: Any) -> None:
        self._looking = False
        failure.trap(ApplicationError)  # no worker is there, or it went before it answered


def _log_bug(failure: Any) -> None:
    log.failure("wampflask: live things: {log_failure.value}", failure=failure)
