"""What one worker of all does each second: who is there, who is looked at, what is to be told again, what is too old.

A thread in each worker tries for the lock; its holder alone listens to the agents' reports and to the router's session
and subscription events, so that other workers have no part in that. When it dies, another takes over within seconds and
asks the router for the state of things.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flask import Flask, current_app
from sqlalchemy import select

from wampflask import WampError, WampTimeout, caller
from wampflask.apps.extensions import db, wamp
from wampflask.reading import reading as only_reading
from wampflask.status import State

from . import alerts, contract, history, notify, push, service
from .models import Host
from .presence import Known, Presence

EXTENSION = "monitor"
PERIOD = 1.0
"""Seconds between two rounds, at most."""
WATCH = 60.0
"""Seconds that agents are told to report each second; they are told again after half of it."""
RETRY = 10.0
"""Seconds between two attempts to bring a configuration to an agent that is there, or to call one that was mute."""
THIN = 60.0
THIN_AT_ONCE = 50
"""Hosts whose old history is deleted in one transaction."""
LONGEST = 3600.0
ALL_HOSTS = "monitor.clientstats."
"""What dashboards subscribe to, as a wildcard."""


class Watchman:
    """One for each app and process. Its public methods may be called in any thread."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._lookers: dict[int, str] = {}
        self._told: dict[str, float] = {}
        self._mute: dict[str, float] = {}
        self._thinned = self._retried = 0.0
        self._rules = alerts.Evaluation()
        self._visiting: threading.Thread | None = None
        self.presence = Presence()
        self.active = False

    def start(self) -> None:
        """Begin, once in each process."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="wampflask-watchman", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Something happened that pages should see at once."""
        self._wake.set()

    def looks(self, subscription: int, topic: str) -> None:
        """The first page subscribed to ``topic``."""
        self._lookers[subscription] = topic
        self._wake.set()

    def looks_away(self, subscription: int) -> None:
        """The last page of a subscription is gone."""
        if self._lookers.pop(subscription, None) is not None:
            self._wake.set()

    # -- the thread

    def _run(self) -> None:
        with self._app.app_context():
            lock = wamp.lock("monitor.watchman")
        while True:
            self._wake.clear()
            with self._app.app_context():
                if wamp.status.state in (State.STOPPING, State.STOPPED):
                    return
                try:
                    self._turn(lock)
                except WampError as error:
                    self._app.logger.debug("The watchman waits for the router: %s", error)
                except Exception:  # a boundary: whatever one round met, the next one tries again
                    self._app.logger.exception("A round of the watchman failed")
            if self._wake.wait(PERIOD):
                time.sleep(0.05)  # what happens together is told together

    def _turn(self, lock: Any) -> None:
        if not lock.held:
            self.active = False
            if not lock.acquire():
                return
            _listen()
            self.presence.begin()
            self._told.clear()
            self._mute.clear()
            self.active = True
            self._take_over()
        self.round()

    def _take_over(self) -> None:
        """Ask the router who is there, and who looks."""
        for session in wamp.call("wamp.session.list", ["agent"]):
            with suppress(WampError):  # it may be gone by now
                host = contract.host_of(str(wamp.call("wamp.session.get", session).get("authid")))
                if host:
                    self.presence.joined(session, host)
        with reading():
            hosts = list(db.session.scalars(select(Host.host)))
        self._lookers.clear()
        topics = [(ALL_HOSTS, "wildcard"), *((_stats(host), "exact") for host in hosts)]
        for topic, match in topics:
            if subscription := wamp.call("wamp.subscription.lookup", topic, {"match": match}):
                self._lookers[subscription] = topic

    def round(self) -> None:
        """Everything once."""
        with reading():
            rows = db.session.execute(
                select(
                    Host.host,
                    Host.online,
                    Host.disabled,
                    Host.frequency,
                    Host.id,
                    Host.config_version,
                    Host.applied_version,
                    Host.refused_version,
                )
            ).all()
        changes = self.presence.changes([Known(*row[:4]) for row in rows])
        online = {row.host for row in rows if changes.get(row.host, row.online)}
        late = {row.host for row in rows if row.config_version > max(row.applied_version, row.refused_version)}
        if changes:
            self._do(self._note_presence, changes)
        self._visit(online, late & online)
        self._do(self._rules.round, self.presence.samples())  # checked only where a rule looks at them
        self._do(notify.send_due)
        now = time.monotonic()
        if now - self._thinned > THIN:
            self._thinned = now
            self._do(self._thin, [row.id for row in rows])

    def _do(self, part: Callable[..., object], *args: Any) -> None:
        """One part of a round: whatever it meets, the other parts are done all the same."""
        try:
            part(*args)
        except WampError as error:
            self._app.logger.debug("The watchman waits for the router: %s", error)
        except Exception:  # a boundary: the next round tries again
            self._app.logger.exception("A part of the watchman's round failed: %s", part.__qualname__)
        finally:
            db.session.rollback()

    def _visit(self, online: set[str], late: set[str]) -> None:
        """Call the agents that are due, in a thread of its own: one that does not answer keeps no alarm waiting."""
        if self._visiting is not None and self._visiting.is_alive():
            return
        due, ended = self._to_watch(online)
        is_time = bool(late) and time.monotonic() - self._retried > RETRY

        def work() -> None:
            with self._app.app_context():
                self._do(self._watch, online, due, ended)
                if is_time:
                    self._retried = time.monotonic()
                    self._do(push.push, sorted(late))

        if not (due or ended or is_time):
            return
        self._visiting = threading.Thread(target=work, name="wampflask-visits", daemon=True)
        self._visiting.start()

    def _note_presence(self, changes: dict[str, bool]) -> None:
        session = db.session()
        gone = {host: seen for host, on in changes.items() if not on and (seen := self.presence.last_heard(host))}
        service.set_seen(session, gone)
        service.set_presence(session, changes)
        session.commit()

    def _to_watch(self, online: set[str]) -> tuple[set[str], set[str]]:
        """Whom to tell that somebody looks, and whom that nobody does any more."""
        topics = set(self._lookers.values())
        wanted = online if ALL_HOSTS in topics else {host for host in online if _stats(host) in topics}
        now = time.monotonic()
        due = {host for host in wanted if now - self._told.get(host, -WATCH) >= WATCH / 2}
        due -= {host for host, moment in self._mute.items() if now - moment < RETRY}
        return due, {host for host in self._told if host not in wanted}

    def _watch(self, online: set[str], due: set[str], ended: set[str]) -> None:
        """Let those report each second whom somebody looks at; for the others that time just ends, or is ended."""
        calls = dict.fromkeys(due, (contract.WATCH, (WATCH,)))
        calls |= dict.fromkeys(ended & online, (contract.WATCH, (0,)))
        now, answers = time.monotonic(), push.call_agents(calls) if calls else {}
        for host in ended:
            del self._told[host]
        for host in due:
            if isinstance(answers[host], WampTimeout):
                self._mute[host] = now
            elif not isinstance(answers[host], Exception):
                self._told[host] = now
                self._mute.pop(host, None)
        self.presence.watch(self._told)

    def _thin(self, ids: list[int]) -> None:
        for first in range(0, len(ids), THIN_AT_ONCE):
            history.thin(db.session(), ids[first : first + THIN_AT_ONCE])
            db.session.commit()
        notify.forget_old()


def is_watched(host: str) -> bool:
    """Whether a page looks at a host: asked of the router, so any worker knows."""
    asked = ((ALL_HOSTS, "wildcard"), (_stats(host), "exact"))
    return any(wamp.call("wamp.subscription.lookup", topic, {"match": match}) for topic, match in asked)


def watchman(app: Flask | None = None) -> Watchman:
    """The current app's."""
    found: Watchman = (app or current_app).extensions[EXTENSION]
    return found


def _stats(host: str) -> str:
    return contract.for_host(contract.CLIENTSTATS, host)


@contextmanager
def reading() -> Iterator[None]:
    """A transaction that only reads: it waits for no writer and hinders none."""
    with only_reading():
        yield
        db.session.rollback()


# -- what the holder hears

_declared = threading.Event()


def _listen() -> None:
    """Subscribe to what only the watchman needs, from the first time on that this process holds the lock."""
    if not _declared.is_set():
        _declared.set()
        wamp.subscribe("wamp.session.on_join")(_on_join)
        wamp.subscribe("wamp.session.on_leave")(_on_leave)
        wamp.subscribe("wamp.subscription.on_create")(_on_create)
        wamp.subscribe("wamp.subscription.on_delete")(_on_delete)
        wamp.subscribe(ALL_HOSTS, match="prefix")(_on_stats)


def _on_join(details: dict[str, Any]) -> None:
    host, ours = contract.host_of(str(details.get("authid"))), watchman()
    if host and ours.active:
        ours.presence.joined(details["session"], host)
        ours.wake()


def _on_leave(session: int, *_more: Any, **_kwargs: Any) -> None:
    ours = watchman()
    if ours.active and ours.presence.left(session):
        ours.wake()


def _on_create(_session: int, details: dict[str, Any]) -> None:
    topic = str(details.get("uri"))
    if topic.startswith(ALL_HOSTS) and details.get("match") in ("exact", "wildcard"):
        watchman().looks(details["id"], topic)


def _on_delete(_session: int, subscription: int) -> None:
    watchman().looks_away(subscription)


def _on_stats(sample: object, *_more: Any, **_kwargs: Any) -> None:
    ours = watchman()
    if not ours.active:
        return
    interval = sample.get("interval") if isinstance(sample, dict) else None
    if isinstance(interval, int | float) and 0 < interval <= LONGEST:
        ours.presence.heard((caller.uri or "").removeprefix(ALL_HOSTS), sample, interval)  # type: ignore[arg-type]
