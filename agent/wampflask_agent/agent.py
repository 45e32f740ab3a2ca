"""The agent: reports, and does what the hub and the pages ask."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import __version__
from .buffer import Buffer
from .calls import CallError, RouterError, Setbacks, explain
from .config import Config
from .fields import FieldError, integer
from .hub import MAX_SKEW, Enrolled
from .metrics import METRICS
from .processes import MAX_PROCESSES, Processes
from .reports import Reporter
from .sampler import Values
from .text import short
from .threads import in_thread
from .uploads import INVALID, Uploads

if TYPE_CHECKING:  # only the link loads autobahn
    from .session import Session

WATCHED_INTERVAL = 1.0
MAX_WATCH = 120.0

READY = "monitor.agent.ready"
DISABLED = "monitor.error.disabled"
INTERNAL = "monitor.error.internal"

log = logging.getLogger("agent")


class Agent:
    """Reports, publishes, and serves the hub. All of it in the running event loop, where it is created.

    :param host: this host's id.
    :param config: of the last run; None for a host that is new.
    :param keep: called with each configuration that the next start is to begin with.
    """

    def __init__(
        self,
        *,
        host: str,
        reporter: Reporter,
        buffer: Buffer,
        config: Config | None,
        keep: Callable[[Config], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._host = host
        self._reporter = reporter
        self._buffer = buffer
        self._uploads = Uploads(buffer, self._gather)
        self._config = config
        self._keep = keep
        self._run = os.urandom(8).hex()
        self._session: Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._watched_until = 0.0
        self._processes = Processes()
        self._listing: asyncio.Future[Values] | None = None
        self._warned_skew = False

    # -- reporting

    def start(self) -> None:
        """Begin to report, by the configuration of the last run until the hub sends another."""
        if self._config is not None:
            self._reporter.prime(self._config)
            self._pace(first=WATCHED_INTERVAL)

    @property
    def interval(self) -> float:
        """Seconds between two reports now."""
        frequency = self._config.frequency if self._config is not None else Config().frequency
        return min(frequency, WATCHED_INTERVAL) if self._loop.time() < self._watched_until else frequency

    def _pace(self, first: float | None = None) -> None:
        """Schedule the next report.

        :param first: seconds until it, when they do not count from the last one.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._config is None or self._config.disabled:
            return
        now = self._loop.time()
        due = now + first if first is not None else max(self._last + self.interval, now)
        self._timer = self._loop.call_later(due - now, self._tick, due)

    def _tick(self, due: float) -> None:
        now = self._loop.time()
        self._last = due if now - due < self.interval else now  # after a standstill, go on from here
        self._report()
        self._pace()

    def _report(self) -> None:
        if self._config is None or self._config.disabled:
            return
        report = self._reporter.take(self._config, self.interval)
        if self._session is not None:
            try:
                self._session.publish(f"monitor.clientstats.{self._host}", report)
            except Exception as error:  # a boundary: the connection may end at any moment; the upload has it
                log.debug("Not published: %s", error)
        self._uploads.append(report)

    def enrolled(self, answer: Enrolled) -> None:
        """Adopt the configuration that the hub sent with its answer."""
        self._reporter.facts["ip"] = answer.ip
        if answer.skew is not None and abs(answer.skew) > MAX_SKEW and not self._warned_skew:
            self._warned_skew = True
            log.warning("This machine's clock and the hub's differ by %.0f s: set this machine's clock.", answer.skew)
        if answer.config != self._config:
            self._adopt(answer.config)

    # -- the session

    async def serve(self, session: Session) -> None:
        """Serve the hub over a session, until cancelled.

        :raises RouterError: when the router refuses what this agent offers.
        """
        self._session = session
        try:
            await self._offer(session)
            await self._greet(session)
            await self._uploads.run(session)
        finally:
            self._session = None
            self._watched_until = 0.0
            self._pace()

    async def _offer(self, session: Session) -> None:
        procedures: dict[str, Callable[..., Any]] = {
            "configure": self.configure,
            "watch": self.watch,
            "processes": self.processes,
        }
        try:
            for name, function in procedures.items():
                await session.offer(f"monitor.host.{self._host}.{name}", _guarded(function))
        except CallError as error:
            raise RouterError(f"the router refuses this agent's procedures: {explain(error)}") from None

    async def _greet(self, session: Session) -> None:
        """Call the hub until it welcomes this agent."""
        setbacks = Setbacks()
        while True:
            try:
                self._welcomed(await session.ask(READY, self._hello()))
            except Exception as error:  # noqa: PERF203 - a boundary in a loop of calls: the answer may be anything
                await asyncio.sleep(setbacks.after(READY, error))
            else:
                return

    def _welcomed(self, welcome: Values) -> None:
        config, stored = Config.parse(welcome["config"]), integer(welcome, "stored", 0)
        self._buffer.confirm(stored)
        if config != self._config:
            self._adopt(config)
        self.watch(welcome.get("watch", 0))

    def _hello(self) -> Values:
        return {
            "agent": __version__,
            "run": self._run,
            "version": (self._config or Config()).version,
            "metrics": [metric._asdict() for metric in METRICS],
            "pending": len(self._buffer),
            "dropped": self._buffer.dropped,
            "clock": round(time.time(), 3),
        }

    def _gather(self) -> float:
        """Return the seconds for which reports are gathered before an upload."""
        handover = (self._config or Config()).handover
        return 0.0 if self.interval >= handover else handover

    async def stop(self) -> None:
        """Report no more, and upload what there is if that is quick."""
        self._config = None
        self._pace()
        await self._uploads.finish()

    # -- what the hub may call

    def configure(self, data: object) -> Values:
        """Adopt a configuration: in force when this returns, on the pages within a second."""
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
            self._reporter.prime(config._replace(groups=frozenset()))  # when it is enabled, all begin again
            self._pace()
        elif self._reporter.prime(config):
            self._pace(first=min(WATCHED_INTERVAL, config.frequency))  # what has begun has no rates yet
        else:
            self._last = self._loop.time()
            self._report()
            self._pace()

    def watch(self, seconds: object) -> Values:
        """Report every second for the given number of seconds, at most :data:`MAX_WATCH`."""
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not seconds >= 0:
            raise CallError(INVALID, f"seconds is {short(seconds)}; it must be a number from 0 on")
        before = self.interval
        self._watched_until = self._loop.time() + min(float(seconds), MAX_WATCH)
        if self.interval != before:
            self._pace()
        return {"interval": self.interval}

    async def processes(self, limit: object = 10) -> Values:
        """Return the processes that use most, measured now; calls at the same time share one measurement."""
        if self._config is not None and self._config.disabled:
            raise CallError(DISABLED, "This host is disabled: enable it to see its processes.")
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_PROCESSES:
            reason = f"limit is {short(limit)}; it must be a whole number from 1 to {MAX_PROCESSES}"
            raise CallError(INVALID, reason)
        if self._listing is None or self._listing.done():
            self._listing = in_thread(self._processes.top, MAX_PROCESSES)
        found = await asyncio.shield(self._listing)
        return {**found, **{name: value[:limit] for name, value in found.items() if isinstance(value, list)}}


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` as a procedure: what is not meant for the caller stays in the log."""

    async def procedure(*args: Any, **kwargs: Any) -> Any:
        try:
            answer = function(*args, **kwargs)
            return await answer if inspect.isawaitable(answer) else answer
        except CallError:
            raise
        except Exception:
            log.exception("%s failed", function.__name__)
            raise CallError(INTERNAL, "The agent failed; its log says why.") from None

    return procedure
