"""The component that answers Crossbar's "may this session do that?". In the router's reactor thread.

Crossbar starts components before it listens, so nobody can join before the rules are there; and
whatever fails in here is an answer of no.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autobahn.twisted.wamp import ApplicationSession
from txaio.tx import make_logger

from . import guard, rate_limit, tuning
from .live import Live
from .rules import DENY, PROCEDURE, RULES, Rules, Session

log = make_logger()

Answer = dict[str, bool]


class Authorizer(ApplicationSession):
    """One for each realm.

    ``extra``: ``rules``, ``rate_limit`` (of :class:`rate_limit.RateLimit`), ``tuning`` (of ``tuning.apply``).
    """

    async def onJoin(self, details: object) -> None:  # noqa: ARG002, N802 - autobahn's signature
        extra: Mapping[str, Any] = self.config.extra
        self._rules = guard.RULES[self.config.realm or ""] = Rules(extra["rules"])
        self._rate_limit = rate_limit.shared(**extra["rate_limit"])
        tuning.apply(**extra["tuning"], limit=self._rate_limit)
        await self.register(self.authorize, PROCEDURE)
        await self.register(lambda: extra["rules"], RULES)
        self._live = Live(self, Path(f"people-{self.config.realm}.json"))
        await self._live.begin()
        log.warn(  # noqa: G010 - txaio has no warning(); see tuning for the level
            "wampflask: {count} permissions guard the realm {realm}",
            count=len(extra["rules"]),
            realm=self.config.realm,
        )

    def authorize(self, details: Mapping[str, Any], uri: str, action: str, options: Mapping[str, Any]) -> Answer:
        """Crossbar's question, for every role but backend."""
        try:
            decision = self._rules.decide(Session.of(details), uri, action, options)
            if not self._rate_limit.allows(details["session"]):
                decision = DENY
        except Exception:  # a boundary: an error in here must deny and tell the client nothing
            log.failure("wampflask: cannot decide, so denied: {log_failure.value}")
            decision = DENY
        if decision.allow and action == "subscribe":
            self._live.allowed(uri)
        answer = {"allow": decision.allow, "cache": False}
        if action in ("call", "publish"):
            answer["disclose"] = decision.disclose
        return answer
