"""The lists of the operator page: read again every :data:`EVERY` seconds while somebody looks, by one call each.

They are not marked as changed by each session that comes or goes: with thousands of pages, that is every moment.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from wampflask import WampError
from wampflask.apps import health
from wampflask.apps.accounts import service as accounts
from wampflask.apps.extensions import db, wamp
from wampflask.meta import Found, SessionInfo, WorkerInfo
from wampflask.task_rows import State, TaskStatus
from wampflask.tasks import Counts, Queue

from . import contract

wamp.permit(*contract.PERMISSIONS)

EVERY = 2.0
PER_PAGE = 50
SORTS = {
    "since": "Newest first",
    "authid": "Name",
    "role": "Role",
    "address": "Address",
    "topics": "Most topics",
    "procedures": "Most procedures",
    "waiting": "Most unread",
    "refused": "Most refused",
}

TASKS_MAX = 50
"""Tasks of a queue that are shown."""
IDLE = 30.0
"""Seconds that the newest task waits, while none runs, until that is worth a word."""
STATES: dict[str, tuple[str, tuple[State, ...]]] = {
    "": ("All", ()),
    "open": ("Waiting and running", ("waiting", "running")),
    "failed": ("Failed", ("failed",)),
    "ended": ("Done and cancelled", ("done", "cancelled")),
}

Variables = dict[str, Any]


def _fragment(template: str) -> Callable[[Callable[..., Variables]], Any]:
    return wamp.fragment(template, allow=contract.ADMINS, every=EVERY)


def moment(seconds: float | None) -> datetime | None:
    """Return a moment for a template; None where it is not known."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _asked(ask: Callable[[], Variables]) -> Variables:
    """Return what was asked for, or why there is no answer: a page for trouble shows it, too."""
    try:
        return {"trouble": "", **ask()}
    except WampError as error:
        return {"trouble": f"The router does not answer. {error}"}
    except SQLAlchemyError as error:
        return {"trouble": without_database(error)}


def without_database(error: SQLAlchemyError) -> str:
    """Log what is wrong with the database, which may name more than a page should; return words for the page."""
    current_app.logger.warning("The operator page has no answer from the database: %s", error)
    return "The database does not answer. The log of this worker says why."


def _listed(found: Found[Any], page: int) -> Variables:
    last = max(1, -(-found.found // PER_PAGE))
    return {"found": found, "page": page, "last": last, "first": (page - 1) * PER_PAGE + 1}


def _offset(page: int) -> int:
    return (page - 1) * PER_PAGE


@_fragment("ops/_overview.html")
def ops_overview() -> Variables:
    """Return the figures of the first page."""

    def ask() -> Variables:
        way, workers = wamp.meta.health(), wamp.meta.workers()
        return {
            "way": way,
            "database": health.database_state(),
            "sessions": wamp.meta.sessions(limit=0),
            "procedures": wamp.meta.procedures(limit=0).total,
            "topics": wamp.meta.topics(limit=0).total,
            "locks": wamp.meta.locks(),
            "workers": workers,
            "releases": _releases(workers),
            "names": {worker.session: name_of(worker) for worker in workers},
            "dropped": _sum(workers, "dropped"),
            "waiting": _sum(workers, "waiting_later", "waiting_latest", "waiting_handlers"),
            "errors": wamp.meta.errors()[:3],
            "jobs": _asked(lambda: {"jobs": wamp.jobs()}),
            "tasks": _asked(lambda: {"counts": _all_counts()}),
        }

    return _asked(ask)


def _all_counts() -> Counts:
    """Return how many tasks of all queues are in each state."""
    found = [queue.counts() for queue in wamp.queues]
    return Counts(*(sum(getattr(counts, field.name) for counts in found) for field in fields(Counts)))


def _sum(workers: Sequence[WorkerInfo], *counters: str) -> int:
    return sum(worker.counters.get(name, 0) for worker in workers for name in counters)


def _releases(workers: Sequence[WorkerInfo]) -> Counter[str]:
    """Return how many workers of each release there are."""
    return Counter(worker.release for worker in workers if worker.answers)


def name_of(worker: WorkerInfo) -> str:
    """Return what a worker is called."""
    return f"{worker.host}, process {worker.pid}" if worker.answers else f"session {worker.session}"


@_fragment("ops/_sessions.html")
def ops_sessions(text: str, role: str, observed: int, sort: str, page: int) -> Variables:
    """Return a page of the sessions."""

    def ask() -> Variables:
        found = wamp.meta.sessions(text, role=role, observed=observed, sort=sort, offset=_offset(page), limit=PER_PAGE)
        return {**_listed(found, page), "emails": emails(found.rows)}

    return {**_asked(ask), "query": {"text": text, "role": role, "observed": observed, "sort": sort}}


def emails(sessions: Sequence[SessionInfo]) -> dict[str, str]:
    """Return the addresses of the users among these sessions, by authid; none while the database is away."""
    users = [one.authid for one in sessions if one.role in ("user", "admin")]
    try:
        return accounts.emails_by_authid(db.session(), users)
    except SQLAlchemyError as error:
        db.session.rollback()
        without_database(error)
        return {}


@_fragment("ops/_procedures.html")
def ops_procedures(text: str, internal: bool, page: int) -> Variables:
    """Return a page of the procedures."""

    def ask() -> Variables:
        found = wamp.meta.procedures(text, internal=internal, offset=_offset(page), limit=PER_PAGE)
        return _listed(found, page)

    return {**_asked(ask), "query": {"text": text, "internal": internal or None}}


@_fragment("ops/_topics.html")
def ops_topics(text: str, internal: bool, page: int) -> Variables:
    """Return a page of the topics."""

    def ask() -> Variables:
        found = wamp.meta.topics(text, internal=internal, offset=_offset(page), limit=PER_PAGE)
        return _listed(found, page)

    return {**_asked(ask), "query": {"text": text, "internal": internal or None}}


@_fragment("ops/_workers.html")
def ops_workers() -> Variables:
    """Return the workers, and the locks that they hold."""

    def ask() -> Variables:
        workers = wamp.meta.workers()
        names = {worker.session: name_of(worker) for worker in workers}
        releases = _releases(workers)
        return {"workers": workers, "releases": releases, "locks": wamp.meta.locks(), "names": names}

    return _asked(ask)


@_fragment("ops/_errors.html")
def ops_errors(number: str) -> Variables:
    """Return the last errors of all workers."""
    return {**_asked(lambda: {"errors": wamp.meta.errors(number)}), "number": number}


@_fragment("ops/_jobs.html")
def ops_jobs() -> Variables:
    """Return the jobs with their next and last runs."""
    return _asked(lambda: {"jobs": wamp.jobs()})


@_fragment("ops/_tasks.html")
def ops_tasks(queue: str, state: str) -> Variables:
    """Return the queues with their newest tasks: of one queue, in the states of one of :data:`STATES`."""

    def ask() -> Variables:
        wanted = [one for one in wamp.queues if queue in ("", one.name)]
        _, states = STATES[state]
        return {"queues": [_seen(one, states) for one in wanted], "limit": TASKS_MAX}

    return _asked(ask)


def _seen(queue: Queue, states: Sequence[State]) -> tuple[str, Counts, list[TaskStatus], bool]:
    """Return a queue's name, counts and tasks, and whether its tasks wait as if no worker were there."""
    counts = queue.counts()
    newest = queue.tasks("waiting", limit=1, args=False) if counts.waiting and not counts.running else []
    is_idle = any(task.changed < time.time() - IDLE for task in newest)
    return queue.name, counts, queue.tasks(*states, limit=TASKS_MAX, args=False), is_idle
