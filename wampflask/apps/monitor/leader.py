"""What one worker of all does each second: presence, calls of agents, alerts.

It alone listens to agents' reports and to the router's session and subscription events. When it dies, another worker
takes over within seconds and asks the router for the present state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app
from sqlalchemy import select

from wampflask import WampError, caller
from wampflask.apps.extensions import db, wamp
from wampflask.leader import Leader as OneOfAll
from wampflask.reading import reading

from . import contract, service
from .alerts import evaluation
from .models import Host
from .presence import Known, Presence
from .settings import delivery
from .settings.watching import ALL_HOSTS, Watching

EXTENSION = "monitor"
RETRY = 10.0
"""Seconds between two attempts to deliver settings to an agent that is online."""
INTERVAL_MAX = 3600.0


@dataclass(frozen=True, slots=True)
class Round:
    """The hosts at the beginning of a round. ``changes``: those whose presence is not what the database has."""

    changes: dict[str, bool]
    online: set[str]
    late: set[str]
    """Hosts whose agents have neither applied nor refused their settings."""


class Leader:
    """One for each app. Its public methods may be called in any thread."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._turns = OneOfAll(app, "monitor.watchman", self.round, begin=self._take_over)
        self._calls: threading.Thread | None = None
        self._rules = evaluation.Evaluation()
        self._delivered = float("-inf")
        self.presence = Presence()
        self.watching = Watching(self.presence)

    @property
    def active(self) -> bool:
        """Whether this process leads."""
        return self._turns.leads

    def wake(self) -> None:
        """Begin the next round now: something happened that pages should show at once."""
        self._turns.wake()

    def round(self) -> None:
        """Do every part, once."""
        found = self._look()
        for part in (self._store_presence, self._call_watched, self._deliver_settings, self._check_alerts):
            self._do(part, found)

    def _take_over(self) -> None:
        """Listen, and ask the router which agents are connected, and which hosts are watched."""
        _listen()
        wamp.connect()  # the subscriptions are confirmed: who leaves after this look is heard of
        self.presence.begin()
        for agent in wamp.meta.sessions(role=contract.ROLE, limit=None):
            if host := contract.host_of(agent.authid):
                self.presence.joined(agent.session, host)
        with reading():
            hosts = list(db.session.scalars(select(Host.host)))
        db.session.rollback()
        self.watching.begin(hosts)

    def _look(self) -> Round:
        columns = (Host.host, Host.online, Host.disabled, Host.frequency)
        versions = (Host.config_version, Host.applied_version, Host.refused_version)
        with reading():
            rows = db.session.execute(select(*columns, *versions)).all()
        db.session.rollback()
        changes = self.presence.changes([Known(row.host, row.online, row.disabled, row.frequency) for row in rows])
        return Round(
            changes=changes,
            online={row.host for row in rows if changes.get(row.host, row.online)},
            late={row.host for row in rows if row.config_version > max(row.applied_version, row.refused_version)},
        )

    def _do(self, part: Callable[..., object], *args: Any) -> None:
        """Do one part of a round; whatever it raises, the other parts follow."""
        try:
            part(*args)
        except WampError as error:
            self._app.logger.debug("The monitor's leader waits for the router: %s", error)
        except Exception:  # a boundary: the next round tries again
            self._app.logger.exception("A part of the leader's round failed: %s", part.__qualname__)
        finally:
            db.session.rollback()

    # -- its parts

    def _store_presence(self, found: Round) -> None:
        if not found.changes:
            return
        session = db.session()
        gone = {host: seen for host, on in found.changes.items() if not on and (seen := self.presence.last_heard(host))}
        service.set_seen(session, gone)
        service.set_presence(session, found.changes)
        session.commit()

    def _call_watched(self, found: Round) -> None:
        if self._is_calling():
            return
        due, ended = self.watching.due(found.online)
        if due or ended:
            self._call_agents(self.watching.call, found.online, due, ended)

    def _deliver_settings(self, found: Round) -> None:
        late, now = found.late & found.online, time.monotonic()
        if late and now - self._delivered >= RETRY and not self._is_calling():
            self._delivered = now
            self._call_agents(delivery.deliver, sorted(late))

    def _check_alerts(self, _found: Round) -> None:
        self._rules.round(self.presence.samples())

    def _is_calling(self) -> bool:
        return self._calls is not None and self._calls.is_alive()

    def _call_agents(self, call: Callable[..., object], *args: Any) -> None:
        """Call agents in a separate thread, so that one that does not answer delays no alert."""

        def work() -> None:
            with self._app.app_context():
                self._do(call, *args)

        self._calls = threading.Thread(target=work, name="wampflask-agents", daemon=True)
        self._calls.start()


def leader() -> Leader:
    """Return the current app's."""
    found: Leader = current_app.extensions[EXTENSION]
    return found


# -- what the leader hears

_declared = threading.Event()


def _listen() -> None:
    """Subscribe to what only the leader needs, when this process first holds the lock."""
    if not _declared.is_set():
        _declared.set()
        wamp.subscribe("wamp.session.on_join")(_on_join)
        wamp.subscribe("wamp.session.on_leave")(_on_leave)
        wamp.subscribe("wamp.subscription.on_create")(_on_create)
        wamp.subscribe("wamp.subscription.on_delete")(_on_delete)
        wamp.subscribe(ALL_HOSTS, match="prefix")(_on_report)


def _on_join(details: dict[str, Any]) -> None:
    host, ours = contract.host_of(str(details.get("authid"))), leader()
    if host and ours.active:
        ours.presence.joined(details["session"], host)
        ours.wake()


def _on_leave(session: int, *_more: Any, **_kwargs: Any) -> None:
    ours = leader()
    if ours.active and ours.presence.left(session):
        ours.wake()


def _on_create(_session: int, details: dict[str, Any]) -> None:
    topic = str(details.get("uri"))
    if topic.startswith(ALL_HOSTS) and details.get("match") in ("exact", "wildcard"):
        leader().watching.started(details["id"], topic)
        leader().wake()


def _on_delete(_session: int, subscription: int) -> None:
    if leader().watching.stopped(subscription):
        leader().wake()


def _on_report(sample: object, *_more: Any, **_kwargs: Any) -> None:
    ours = leader()
    if not ours.active:
        return
    interval = sample.get("interval") if isinstance(sample, dict) else None
    if isinstance(interval, int | float) and 0 < interval <= INTERVAL_MAX:
        ours.presence.heard((caller.uri or "").removeprefix(ALL_HOSTS), sample, interval)  # type: ignore[arg-type]
