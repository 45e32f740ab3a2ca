"""The agent: samples, publishes, obeys."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable
from typing import Any, NoReturn

from . import __version__
from .buffer import Buffer
from .config import Config
from .fields import FieldError, integer
from .hub import MAX_SKEW, Enrolled
from .link import Wamp, failed
from .metrics import METRICS
from .processes import MAX_PROCESSES, Processes
from .reports import Reporter
from .sampler import Values
from .text import short

log = logging.getLogger("agent")

WATCHED_INTERVAL = 1.0
MAX_WATCH = 120.0


BATCH_PAUSE = (0.1, 0.4)
"""Seconds between two handovers of a backlog, so that many agents at once leave the hub room."""


CALL_TIMEOUT = 30.0


_random = random.SystemRandom()


READY = "monitor.agent.ready"
APPEND = "monitor.history.append"
INVALID = "monitor.error.invalid"
DISABLED = "monitor.error.disabled"
INTERNAL = "monitor.error.internal"


class Agent:
    """Samples, publishes, obeys. Everything in the reactor's thread.

    :param clock: Twisted's reactor, or a look-alike with ``callLater`` and ``seconds``.
    :param host: this host's id.        :param config: of the last time; None for a host that is new.
    :param keep: called with a configuration that shall be there at the next start.
    :param leave: called to begin a new session.
    """

    def __init__(
        self,
        wamp: Wamp,
        clock: Any,
        *,
        host: str,
        sampling: Reporter,
        buffer: Buffer,
        config: Config | None,
        keep: Callable[[Config], None],
        leave: Callable[[], None],
    ) -> None:
        self._wamp = wamp
        self._clock = clock
        self._host = host
        self._sampling = sampling
        self._buffer = buffer
        self._config = config
        self._keep = keep
        self._leave = leave
        self._run = os.urandom(8).hex()
        self._session: Any = None
        self._ready = False
        self._timer: Any = None
        self._last = 0.0
        self._watched_until = 0.0
        self._handover: Any = None
        self._flying = False
        self._setbacks = 0
        self._processes = Processes()
        self._listing: Any = None
        self._warned_skew = False

    # -- sampling

    def start(self) -> None:
        """Begin to sample, by the configuration of the last time until the hub says otherwise."""
        if self._config is not None:
            self._sampling.prime(self._config)
            self._pace(first=WATCHED_INTERVAL)

    @property
    def interval(self) -> float:
        """Seconds between two samples now."""
        frequency = self._config.frequency if self._config is not None else Config().frequency
        return min(frequency, WATCHED_INTERVAL) if self._clock.seconds() < self._watched_until else frequency

    def _pace(self, first: float | None = None) -> None:
        """Plan the next sample anew.

        :param first: seconds until it, when it is not to be counted from the last one.
        """
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._config is None or self._config.disabled:
            return
        now = self._clock.seconds()
        due = now + first if first is not None else max(self._last + self.interval, now)
        self._timer = self._clock.callLater(due - now, self._tick, due)

    def _tick(self, due: float) -> None:
        now = self._clock.seconds()
        self._last = due if now - due < self.interval else now  # after a standstill, go on from here
        self._report()
        self._pace()

    def _report(self) -> None:
        if self._config is None or self._config.disabled:
            return
        sample = self._sampling.take(self._config, self.interval)
        if self._session is not None:
            try:
                self._session.publish(f"monitor.clientstats.{self._host}", sample)
            except Exception as error:  # a boundary: the connection may end between two lines; the history has it
                log.debug("Not published: %s", error)
        self._buffer.append(sample)
        self._plan_handover()

    # -- the session

    def enrolled(self, answer: Enrolled) -> None:
        """The hub's configuration stands, whatever was before."""
        self._sampling.facts["ip"] = answer.ip
        if answer.skew is not None and abs(answer.skew) > MAX_SKEW and not self._warned_skew:
            self._warned_skew = True
            log.warning("This machine's clock and the hub's differ by %.0f s: set it right.", answer.skew)
        if answer.config != self._config:
            self._adopt(answer.config)

    def joined(self, session: Any) -> None:
        """Offer what the hub may call, then tell it so."""
        self._session = session
        offered = {"configure": self.configure, "watch": self.watch, "processes": self.processes}
        registering = [
            session.register(
                self._guarded(function), f"monitor.host.{self._host}.{name}", options=self._wamp.register_options
            )
            for name, function in offered.items()
        ]
        self._wamp.gather(registering, consumeErrors=True).addCallbacks(
            lambda _: self._say_ready(session), lambda failure: self._half(session, failure)
        )

    def lost(self) -> None:
        """The session is gone; samples are kept until there is another."""
        self._session = None
        self._ready = False
        self._watched_until = 0.0
        self._pace()

    def _half(self, session: Any, failure: Any) -> None:
        if session is self._session:
            first = getattr(failure.value, "subFailure", failure)
            log.warning("The router refuses what this agent offers: %s", failed(first))
            self._leave()

    def _say_ready(self, session: Any) -> None:
        if session is not self._session or self._config is None:
            return
        hello = {
            "agent": __version__,
            "run": self._run,
            "version": self._config.version,
            "metrics": [metric._asdict() for metric in METRICS],
            "pending": len(self._buffer),
            "dropped": self._buffer.dropped,
            "clock": round(time.time(), 3),
        }
        self._call(session, READY, hello).addCallback(self._welcomed, session).addErrback(self._not_ready, session)

    def _welcomed(self, welcome: Any, session: Any) -> None:
        if session is not self._session:
            return
        config, stored = Config.parse(welcome["config"]), integer(welcome, "stored", 0)
        self._setbacks = 0
        self._ready = True
        self._buffer.confirm(stored)
        if config != self._config:
            self._adopt(config)
        self.watch(welcome.get("watch", 0))
        self._plan_handover()

    def _not_ready(self, failure: Any, session: Any) -> None:
        if session is self._session:
            delay = self._setback(READY, failure)
            self._clock.callLater(delay, self._say_ready, session)

    def _call(self, session: Any, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """A call that ends: by its answer, with the session, or after a while."""
        try:
            calling = session.call(procedure, *args, **kwargs)
        except Exception as error:  # the session may have ended a moment ago
            calling = self._wamp.Deferred()
            calling.errback(error)
            return calling
        return calling.addTimeout(CALL_TIMEOUT, self._clock)

    def _setback(self, procedure: str, failure: Any) -> float:
        """Seconds until a call that failed is to be made again."""
        self._setbacks += 1
        say = log.warning if self._setbacks == 1 else log.debug
        say("%s: %s; trying again", procedure, failed(failure))
        return _random.uniform(0.5, 1.0) * min(2.0**self._setbacks, 30.0)

    # -- what the hub may call

    def configure(self, data: object) -> Values:
        """Take over a configuration: in force when this returns, and on the pages at once or a second later."""
        current = self._config or Config()
        try:
            config = Config.parse(data)
        except FieldError as error:
            return {"accepted": False, "version": current.version, "reason": str(error)}
        if config.version < current.version:
            reason = f"version {config.version} is older than {current.version}, which is in force"
            return {"accepted": False, "version": current.version, "reason": reason}
        self._adopt(config)
        return {"accepted": True, "version": config.version}

    def _adopt(self, config: Config) -> None:
        self._config = config
        self._keep(config)
        if config.disabled:
            self._sampling.prime(config._replace(groups=frozenset()))  # when it is enabled, all begin anew
            self._pace()
        elif self._sampling.prime(config):
            self._pace(first=min(WATCHED_INTERVAL, config.frequency))  # what has begun has no rates yet
        else:
            self._last = self._clock.seconds()
            self._report()
            self._pace()

    def watch(self, seconds: object) -> Values:
        """Sample each second for so long."""
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not seconds >= 0:
            raise self._wamp.ApplicationError(INVALID, f"seconds is {short(seconds)}; it must be a number from 0 on")
        before = self.interval
        self._watched_until = self._clock.seconds() + min(float(seconds), MAX_WATCH)
        if self.interval != before:
            self._pace()
        return {"interval": self.interval}

    def processes(self, limit: object = 10) -> Any:
        """The processes that use most, measured now; those who ask at the same time are given the same answer."""
        if self._config is not None and self._config.disabled:
            raise self._wamp.ApplicationError(DISABLED, "This host is disabled: enable it to see its processes.")
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_PROCESSES:
            reason = f"limit is {short(limit)}; it must be a whole number from 1 to {MAX_PROCESSES}"
            raise self._wamp.ApplicationError(INVALID, reason)
        answer = self._wamp.Deferred()
        if self._listing is None:
            self._listing = []
            self._wamp.in_thread(self._processes.top, MAX_PROCESSES).addBoth(self._listed)
        self._listing.append((answer, limit))
        return answer

    def _listed(self, result: Any) -> None:
        asking, self._listing = self._listing, None
        for answer, limit in asking:
            if isinstance(result, dict):
                cut = {name: value[:limit] for name, value in result.items() if isinstance(value, list)}
                answer.callback({**result, **cut})
            else:
                answer.errback(result)

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` as a procedure: what is not meant for the caller stays in the log."""

        def hide(failure: Any) -> NoReturn:
            if isinstance(failure.value, self._wamp.ApplicationError):
                raise failure.value
            log.error("%s failed: %s", function.__name__, failure.getTraceback())
            raise self._wamp.ApplicationError(INTERNAL, "The agent failed; its log says why.")

        def procedure(*args: Any) -> Any:
            answer = self._wamp.Deferred()
            answer.addCallback(lambda _: function(*args)).addErrback(hide)
            answer.callback(None)
            return answer

        return procedure

    # -- the history

    def _plan_handover(self, delay: float | None = None) -> None:
        """Hand over soon, unless that is planned or under way."""
        planned = self._handover is not None and self._handover.active()
        if self._flying or planned or not self._ready or not len(self._buffer) or self._config is None:
            return
        gather = 0.0 if self.interval >= self._config.handover else self._config.handover
        if self._buffer.full_batch:
            gather = _random.uniform(*BATCH_PAUSE)
        self._handover = self._clock.callLater(gather if delay is None else delay, self.hand_over)

    def hand_over(self) -> Any:
        """Hand over one batch; a Deferred that never fails, and fires when it is settled."""
        session = self._session
        if session is None or self._flying or not self._ready or not len(self._buffer):
            done = self._wamp.Deferred()
            done.callback(None)
            return done
        samples = self._buffer.batch()
        self._flying = True
        calling = self._call(session, APPEND, samples, dropped=self._buffer.dropped, clock=round(time.time(), 3))
        return calling.addCallback(self._appended).addErrback(self._not_appended)

    def _appended(self, answer: Any) -> None:
        stored = integer(answer, "stored", 0)
        before = len(self._buffer)
        self._flying = False
        self._buffer.confirm(stored)
        self._setbacks = 0 if len(self._buffer) < before else self._setbacks + 1
        self._plan_handover()

    def _not_appended(self, failure: Any) -> None:
        self._flying = False
        if getattr(failure.value, "error", None) == INVALID:
            log.warning("The hub cannot take samples: %s", failed(failure))
            self._buffer.refuse()
            self._plan_handover(delay=BATCH_PAUSE[0])
            return
        self._buffer.again()
        if self._session is not None:
            self._plan_handover(delay=self._setback(APPEND, failure))

    def stop(self) -> Any:
        """Hand over what there is, if that is quick; a Deferred that never fails."""
        self._config = None
        self._pace()
        if self._handover is not None and self._handover.active():
            self._handover.cancel()
        return self.hand_over().addTimeout(1.0, self._clock).addErrback(lambda _: None)
