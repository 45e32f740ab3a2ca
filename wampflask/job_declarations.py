"""Declaring jobs: the part of :class:`wampflask.WAMP` that says what happens when, and shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ._current import current_client
from ._declarations import Declarations, Job
from .errors import ConfigError

if TYPE_CHECKING:
    from weakref import WeakSet

    from ._client import Client
    from .jobs import JobStatus
    from .runs import Run
    from .triggers import Trigger

W = TypeVar("W", bound=Callable[[], object])

GRACE = 60.0
"""Seconds that a run may be late, where the job does not say."""
GRACE_MIN = 5.0
"""Seconds, at least: another worker may stand in after three."""


class JobDeclarations:
    """A part of :class:`wampflask.WAMP`."""

    _declarations: Declarations
    _clients: WeakSet[Client]

    def cron(
        self,
        *,
        every: timedelta | float | None = None,
        when: datetime | None = None,
        year: int | str | None = None,
        month: int | str | None = None,
        day: int | str | None = None,
        week: int | str | None = None,
        day_of_week: str | None = None,
        hour: int | str | None = None,
        minute: int | str | None = None,
        second: int | str | None = None,
        zone: str | None = None,
        overlap: bool = False,
        grace: timedelta | float = GRACE,
        name: str | None = None,
    ) -> Callable[[W], W]:
        """Decorator: run a function at its times, once over all workers of all machines. It has no arguments.

        It runs in a thread of ``WAMP_CRON_THREADS``, in an app context, in a process that serves, also while the
        router is away. docs/cron.md says what happens when something fails. Give one of ``every``, ``when``, and what
        the clock has to show: ``hour=3``, which is 03:00:00 each day, or ``day_of_week="mon-fri", minute="*/10"``, as
        APScheduler's CronTrigger reads it.

        :param every: seconds, or a timedelta, from one multiple since the epoch to the next.
        :param when: one moment with its time zone.
        :param zone: of the clock, such as ``Europe/Paris``; default ``WAMP_CRON_ZONE``.
        :param overlap: begin although another run of it goes on. Otherwise what is due then is skipped.
        :param grace: seconds, or a timedelta, that a run may be late when no worker was there in time.
        :param name: default is the function's with its module. Results are kept by it.
        :raises ConfigError: for times that cannot be, and for what is not a plain function without arguments.
        :raises AlreadyDeclared: there is a job of this name.
        """
        given: dict[str, Any] = {
            "year": year, "month": month, "day": day, "week": week, "day_of_week": day_of_week,
            "hour": hour, "minute": minute, "second": second,
        }  # fmt: skip
        fields = {key: value for key, value in given.items() if value is not None}
        trigger = _trigger(every, when, fields, zone)
        patience = _read_grace(grace)

        def declare(work: W) -> W:
            from .jobs import check_work, name_of

            check_work(work)
            self._add_job(Job(name_of(work, name), work, trigger, overlap, patience))
            return work

        return declare

    def _add_job(self, job: Job) -> None:
        is_first = not self._declarations.jobs
        self._declarations.add_job(job)
        for client in tuple(self._clients) if is_first else ():
            self._schedule(client)

    def _schedule(self, client: Client) -> None:
        """Have an app's processes run the jobs, if there are any and this one has threads for them."""
        if self._declarations.jobs and client.config.cron_threads:
            from .schedule import Scheduler  # SQLAlchemy and APScheduler are there only where this is used

            client.accompany(Scheduler(client))

    def jobs(self) -> list[JobStatus]:
        """Return the declared jobs with their next and last runs, by name. Any process; asks the database twice.

        :raises sqlalchemy.exc.SQLAlchemyError: the database did not answer.
        """
        if not self._declarations.jobs:
            return []
        from .jobs import statuses

        return statuses(current_client())

    def run_job(self, name: str, *, wait: bool = True) -> Run:
        """Run a job here and now, and return how it ended. When it is due stays as it is.

        :param wait: for its end, in this thread. Otherwise it gets a thread of its own, which this process waits for at
            its orderly end, and what is returned says that it runs.
        :raises ConfigError: there is none of this name.
        :raises LockTaken: it runs already, and was declared without ``overlap``.
        """
        self._declarations.job(name)
        from .jobs import run_by_hand

        return run_by_hand(current_client(), name, wait=wait)


def _trigger(
    every: timedelta | float | None, when: datetime | None, fields: dict[str, Any], zone: str | None
) -> Callable[[str], Trigger]:
    """Return what makes the trigger, once the app's time zone is known.

    :raises ConfigError: for times that cannot be.
    """
    if sum((every is not None, when is not None, bool(fields))) != 1:
        raise ConfigError("@wamp.cron needs one of every=…, when=…, and fields such as hour=3, minute=30.")
    if zone is not None and not fields:
        raise ConfigError(f"zone={zone!r} is for hour=… and the like: leave it out.")
    try:
        from . import triggers
    except ModuleNotFoundError as error:
        raise ConfigError(f"@wamp.cron needs {error.name}: pip install 'wampflask[cron]'.") from None
    if fields:
        triggers.calendar(fields, zone or "UTC")  # refused where it stands
        return lambda default: triggers.calendar(fields, zone or default)
    made: Trigger = triggers.every(every) if every is not None else triggers.once(when)  # type: ignore[arg-type]
    return lambda _default: made


def _read_grace(grace: timedelta | float) -> int:
    """Return it in milliseconds."""
    try:
        seconds = grace.total_seconds() if isinstance(grace, timedelta) else float(grace)
        if seconds >= GRACE_MIN:
            return round(seconds * 1000)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ConfigError(f"grace={grace!r} is not a time of {GRACE_MIN:g} seconds or more.")
