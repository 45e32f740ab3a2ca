"""Runs the jobs of ``@wamp.cron``: once over all workers of all machines. Needs SQLAlchemy and APScheduler.

Every worker that serves looks at the clock. The leader of all decides at a due moment, the others :data:`STAND_IN`
seconds later about what it has left: it may be dead, hung, cut off, or have no thread to spare. Who decides claims the
run in the database first (:mod:`wampflask.runs`), so that there is one, however many believe they lead.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from . import uris
from ._declarations import Job
from ._dispatch import run_job
from ._loop import PERIOD, Loop
from ._pool import Pool
from .jobs import runs_of
from .leader import Leader
from .runs import AHEAD, RENEW, Claim, Key, Outcome
from .serving import Serving
from .triggers import SECOND, Trigger

if TYPE_CHECKING:
    from ._client import Client

STAND_IN = 3 * SECOND
"""How long after its due moment a run is left to the leader, in milliseconds."""
SHORTEST = 0.01
"""Seconds between two turns, at least."""
PRUNE = 60.0
"""Seconds between two deletions of old runs."""


class Scheduler:
    """One for each app; it has threads in each process that serves.

    :param clock: seconds since the epoch.
    """

    def __init__(self, client: Client, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock
        self._triggers: dict[str, Trigger] = {}
        self._process: int | None = None
        self._leader = Leader(client.app, f"cron.{uris.component(client.app.name)}")
        self._loop = Loop(client.app, "cron", self.turn)

    def _prepare(self) -> None:
        """Make what belongs to this process."""
        self._process = os.getpid()
        self._runs = runs_of(self._client, self._clock)
        self._threads = self._client.config.cron_threads
        self._pool = Pool(self._threads, 0, f"wamp-{self._client.app.name}-cron")
        self._considered: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._running: set[Key] = set()
        self._ended: deque[tuple[Key, int, Outcome, str]] = deque()
        self._renewed = self._pruned = time.monotonic()

    # -- what the client asks

    def start(self) -> None:
        """Begin, once in each process; the client does it when this process serves.

        One that serves only some declarations is there for those, and runs no jobs.
        """
        if self._process != os.getpid() and not Serving.parse(self._client.config.serve).only:
            self._prepare()
            self._loop.start()

    def stop(self, deadline: float) -> None:
        """Begin no more runs; wait for those that go on until ``deadline``, a monotonic time."""
        if self._process != os.getpid():
            return
        is_idle = self._loop.stop(deadline)
        self._pool.drain(max(0.0, deadline - time.monotonic()))
        self._pool.close()
        if not is_idle:
            self._log.warning("The database does not answer: how the last runs of jobs ended is not recorded.")
            return
        for key in self._running.difference(key for key, *_ in self._ended):
            self._ended.append((key, self._runs.now(), "lost", ""))
            self._log.warning("The job %s was still running when its process ended.", key[0])
        try:
            self._record()
        except Exception:  # a boundary: the rest of the process has to end in order, too
            self._log.exception("How the last runs of jobs ended was not recorded")
        self._client.store.close()

    # -- the clock's thread

    def turn(self) -> float:
        """Record what has ended, and begin what is due; the seconds until the next turn."""
        self._record()
        leads = self._leads()
        patience = 0 if leads else STAND_IN
        jobs = list(self._client.declarations.jobs.values())
        self._begin(jobs)
        if not leads and any(self._is_due(job, patience) for job in jobs):
            self._note(self._runs.look(list(self._considered)))
        for job in sorted((job for job in jobs if self._is_due(job, patience)), key=lambda job: self._due[job.name]):
            if not self._is_full():
                self._claim(job, patience)
        if leads and time.monotonic() - self._pruned > PRUNE:
            self._pruned = time.monotonic()
            self._runs.prune([job.name for job in jobs])
        if self._is_full():
            return PERIOD  # or until a run ends
        following = min((self._due[job.name] for job in jobs), default=float("inf")) + patience
        return max(SHORTEST, min(PERIOD, (following - self._runs.now()) / SECOND))

    def _leads(self) -> bool:
        """Return whether this process need not wait for another: it leads, or cannot know who does."""
        return self._leader.leads or self._client.status.session is None

    def _is_full(self) -> bool:
        return self._pool.running + self._pool.waiting >= self._threads

    def _begin(self, jobs: list[Job]) -> None:
        ahead = self._runs.now() + AHEAD
        new = [(job.name, self._trigger(job)) for job in jobs if self._considered.get(job.name, ahead + 1) > ahead]
        if new:
            self._note(self._runs.begin(new))

    def _note(self, considered: Mapping[str, int]) -> None:
        """Remember the last moments of jobs that somebody has dealt with, and when each is due after that."""
        for name, moment in considered.items():
            if self._considered.get(name) != moment:
                self._considered[name] = moment
                following = self._triggers[name].after(moment)
                self._due[name] = float("inf") if following is None else following

    def _trigger(self, job: Job) -> Trigger:
        if job.name not in self._triggers:
            self._triggers[job.name] = job.trigger(self._client.config.cron_zone)
        return self._triggers[job.name]

    def _is_due(self, job: Job, patience: int) -> bool:
        return self._due[job.name] <= self._runs.now() - patience

    def _claim(self, job: Job, patience: int) -> None:
        trigger = self._trigger(job)
        claim = self._runs.claim(job.name, trigger, overlap=job.overlap, grace=job.grace, after=patience)
        self._note({job.name: claim.considered})
        self._log_claim(claim, job)
        if claim.key is not None and claim.run is not None and claim.run.outcome == "running":
            self._run(job, claim.key)

    def _log_claim(self, claim: Claim, job: Job) -> None:
        for where in claim.lost:
            self._log.warning("A run of the job %s is lost: its process %s has ended.", job.name, where)
        if claim.run is None:
            return
        if claim.run.outcome == "missed":
            self._log.warning("The job %s was due at %s, and no worker was there in time.", job.name, claim.run.due)
        elif claim.run.passed:
            self._log.warning("The job %s is run late; runs that are left out: %d.", job.name, claim.run.passed)

    def _run(self, job: Job, key: Key) -> None:
        def work() -> None:
            error = run_job(self._client.app, job)
            self._ended.append((key, self._runs.now(), "failed" if error else "done", error))
            self._loop.wake()

        self._running.add(key)
        self._pool.submit(work)

    def _record(self) -> None:
        """Store how runs ended; what cannot be stored now is kept. Give a sign of life of the others."""
        ended = list(self._ended)
        if ended:
            self._runs.finish(ended)
            for _ in ended:
                self._running.discard(self._ended.popleft()[0])
        if self._running and time.monotonic() - self._renewed > RENEW:
            self._renewed = time.monotonic()
            self._runs.renew(self._running)

    @property
    def _log(self) -> logging.Logger:
        return self._client.app.logger
