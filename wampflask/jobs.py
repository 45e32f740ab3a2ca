"""Jobs as an app sees them: their names, their state, and a run by hand."""

from __future__ import annotations

import inspect
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Thread
from typing import TYPE_CHECKING, Any

from ._declarations import Job, check_handler, place
from ._dispatch import run_job
from ._loop import Loop
from .errors import ConfigError, LockTaken
from .runs import NAME_MAX, RENEW, Key, Outcome, Run, Runs
from .triggers import as_datetime

if TYPE_CHECKING:
    from ._client import Client


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as :meth:`wampflask.WAMP.jobs` shows it.

    :ivar trigger: when it is due, in words.
    :ivar next_run: when it is due next, in UTC; None when it never is again.
    :ivar last_run: the newest run, or why there was none; None before the first.
    """

    name: str
    trigger: str
    overlap: bool
    next_run: datetime | None
    last_run: Run | None


def name_of(work: Any, given: str | None) -> str:
    """Return the name of a job: the given one, or the function's with its module.

    :raises ConfigError: it is too long, or cannot be typed in a command; or there is none.
    """
    own = getattr(work, "__qualname__", "")
    if not given and not own:
        raise ConfigError(f"The job {work!r} has no name of its own: give name=.")
    name = given or f"{work.__module__}.{own}"
    if len(name) > NAME_MAX or not name.isprintable() or " " in name:
        raise ConfigError(f"The name {name!r} of a job has more than {NAME_MAX} characters, or spaces: give name=.")
    return name


def check_work(work: Any) -> None:
    """See that ``work()`` runs it.

    :raises ConfigError: it is asynchronous, a generator, or has arguments.
    """
    check_handler(work)
    try:
        inspect.signature(work).bind()
    except TypeError as error:
        raise ConfigError(
            f"The job {place(work)} is called without arguments: {error}. Give them defaults, or read what it needs "
            "from the database."
        ) from None


def runs_of(client: Client, clock: Callable[[], float] = time.time) -> Runs:
    """Return an app's runs, for this process."""
    return Runs(client.store, f"{socket.gethostname()[:150]}:{os.getpid()}", clock)


def statuses(client: Client) -> list[JobStatus]:
    """Return what :meth:`wampflask.WAMP.jobs` does."""
    declared = client.declarations.jobs
    runs = runs_of(client)
    considered, newest = runs.look(declared), runs.newest(declared)
    found = []
    for name, job in sorted(declared.items()):
        trigger = job.trigger(client.config.cron_zone)
        following = trigger.after(max(considered.get(name, 0), runs.now()))
        next_run = None if following is None else as_datetime(following)
        found.append(JobStatus(name, trigger.words, job.overlap, next_run, newest.get(name)))
    return found


def run_by_hand(client: Client, name: str, *, wait: bool = True) -> Run:
    """Do what :meth:`wampflask.WAMP.run_job` does."""
    job = client.declarations.job(name)
    runs = runs_of(client)
    claim = runs.claim_now(name, overlap=job.overlap)
    if claim.key is None or claim.run is None:
        raise LockTaken(f"The job {name!r} runs already. Wait for its end, or declare it with overlap=True.")
    if wait:
        return _run(client, job, runs, claim.key, claim.run)
    alone = (client, job, runs, claim.key, claim.run)
    Thread(target=_run_alone, args=alone, name=f"wampflask-{client.app.name}-job", daemon=False).start()
    return claim.run


def _run_alone(client: Client, job: Job, runs: Runs, key: Key, run: Run) -> None:
    try:
        _run(client, job, runs, key, run)
    except Exception:  # a boundary: nobody waits for this thread
        client.app.logger.exception("How the job %s, run by hand, ended was not recorded", job.name)


def _run(client: Client, job: Job, runs: Runs, key: Key, run: Run) -> Run:
    with _kept_alive(client, lambda: runs.renew([key])):
        error = run_job(client.app, job)
    ended = runs.now()
    outcome: Outcome = "failed" if error else "done"
    runs.finish([(key, ended, outcome, error)])
    return replace(run, ended=as_datetime(ended), outcome=outcome, error=error)


@contextmanager
def _kept_alive(client: Client, renew: Callable[[], None]) -> Iterator[None]:
    """Give signs of life of a run while the block runs."""
    last = time.monotonic()

    def turn() -> None:
        nonlocal last
        if time.monotonic() - last > RENEW:
            last = time.monotonic()
            renew()

    loop = Loop(client.app, "job", turn)
    loop.start()
    try:
        yield
    finally:
        loop.stop(time.monotonic() + RENEW)
