"""The component that answers Crossbar's "may this session do that?". In the router's reactor thread.

Crossbar starts components before it listens, so nobody can join before the rules are there; and
whatever fails in here is an answer of no.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.types import RegisterOptions
from txaio.tx import make_logger

from . import guard, patches, rate_limit
from .live import Live
from .meta import Meta
from .rules import ACTIONS, CLAIMS, DENY, PROCEDURE, ROLES, RULES, Rules, Session
from .worker_rules import HAND_OVER, WorkerRules

REFRESH = "wampflask.close.refresh"

log = make_logger()

Answer = dict[str, bool]


class Authorizer(ApplicationSession):
    """One for each realm.

    ``extra``: ``rules``, ``roles`` (that a session can have here), ``follow_workers`` (whether rules come from workers,
    too), ``rate_limit`` (of :class:`rate_limit.RateLimit`), ``patches`` (of ``patches.apply``).
    """

    async def onJoin(self, details: object) -> None:  # noqa: ARG002, N802 - autobahn's signature
        extra: Mapping[str, Any] = self.config.extra
        self._roles = list(extra["roles"])
        self._worker_rules = WorkerRules(extra["rules"])
        self._put_in_force()
        self._rate_limit = rate_limit.shared(**extra["rate_limit"])
        patches.apply(**extra["patches"], limit=self._rate_limit)
        await self.register(self.authorize, PROCEDURE)
        await self.register(lambda: self._worker_rules.rules, RULES)
        await self.register(lambda: self._roles, ROLES)
        await self.register(self.claims_of, CLAIMS)
        if extra["follow_workers"]:
            await self.register(self.hand_over, HAND_OVER, RegisterOptions(details_arg="details"))
            await self.subscribe(self.left, "wamp.session.on_leave")
        self._live = Live(self, Path(f"people-{self.config.realm}.json"))
        await self._live.begin()
        await Meta(lambda: self._router, self._rate_limit).begin(self)
        log.warn(  # noqa: G010 - txaio has no warning(); see patches for the level
            "wampflask: {count} permissions guard the realm {realm}",
            count=len(extra["rules"]),
            realm=self.config.realm,
        )

    def authorize(self, details: Mapping[str, Any], uri: str, action: str, options: Mapping[str, Any]) -> Answer:
        """Decide for Crossbar, for every role except backend."""
        try:
            decision = self._rules.decide(Session.of(details), uri, action, options)
            if not self._rate_limit.allows(details["session"]):
                decision = DENY
        except Exception:  # a boundary: an error in here must deny and reveal nothing to the client
            log.failure("wampflask: cannot decide, so denied: {log_failure.value}")
            decision = DENY
        if decision.allow and action == "subscribe":
            self._live.allowed(uri)
        answer = {"allow": decision.allow, "cache": False}
        if action in ("call", "publish"):
            answer["disclose"] = decision.disclose
        return answer

    def claims_of(self, number: int) -> Mapping[str, Any] | None:
        """Return what the ticket of a session claims; None when there is no such session."""
        session = self._router._session_id_to_session.get(number)  # noqa: SLF001 - Crossbar offers no other
        return None if session is None else dict((session._authextra or {}).get("claims") or {})  # noqa: SLF001

    # -- rules that change

    def hand_over(self, rules: Sequence[Mapping[str, Any]], roles: Sequence[str], details: Any) -> list[str]:
        """Take what a worker's app permits, and its roles; return the roles that are not known here."""
        Rules(rules)  # raises for what is none
        if self._worker_rules.take(details.caller, rules):
            self._changed()
        named = {role for rule in rules for action in ACTIONS for role in rule.get(action, ())}
        return sorted(named.union(roles).difference(self._roles))

    def left(self, number: int, *_: object) -> None:
        """Forget a session that has ended."""
        if self._worker_rules.leave(number):
            self._changed()

    def _changed(self) -> None:
        self._put_in_force()
        log.warn(  # noqa: G010
            "wampflask: workers have changed the permissions of the realm {realm}: {count} now",
            realm=self.config.realm,
            count=len(self._worker_rules.rules),
        )
        for session in tuple(self._no_longer_allowed()):
            session.leave(REFRESH, None)

    def _put_in_force(self) -> None:
        self._rules = guard.RULES[self.config.realm or ""] = Rules(self._worker_rules.rules)

    def _no_longer_allowed(self) -> Iterator[Any]:
        """Yield the sessions that have what they would not get now."""
        broker, dealer = self._router._broker, self._router._dealer  # noqa: SLF001 - Crossbar offers no other
        held = (
            ("subscribe", broker._session_to_subscriptions),  # noqa: SLF001
            ("register", dealer._session_to_registrations),  # noqa: SLF001
        )
        for action, by_session in held:
            for session, observed in by_session.items():
                if session._authrole in guard.TRUSTED:  # noqa: SLF001
                    continue
                if not all(self._allows(session, action, item.uri, item.match) for item in observed):
                    yield session

    def _allows(self, session: Any, action: str, uri: str, match: str) -> bool:
        return self._rules.decide(guard.asking(session), uri, action, {"match": match}).allow

    @property
    def _router(self) -> Any:
        transport: Any = self._transport
        return transport._router  # noqa: SLF001 - Crossbar offers no other
