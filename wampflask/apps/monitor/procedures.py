"""What agents call over WAMP."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from wampflask import CallFailed, WampError, caller
from wampflask.apps.extensions import db, wamp

from . import contract, history, push, service
from .batching import Batcher
from .models import MonitorError
from .samples import checked_batch
from .watchman import WATCH, host_of, is_watched

wamp.permit(*contract.PERMISSIONS)


@wamp.register(contract.READY, roles=(contract.ROLE,))
def ready(hello: object) -> contract.Welcome:
    """An agent can be called from now on; it gets the configuration once more, in case of an edit just now.

    :raises CallFailed: ``monitor.error.not_found``: the host was removed.
    """
    session, host = db.session(), _asking_host()
    try:
        found = service.get_host(session, host)
    except MonitorError as error:
        raise CallFailed(error.uri, str(error)) from None
    version = str(hello.get("agent", ""))[:40] if isinstance(hello, dict) else ""
    if version and version != found.agent_version:
        found.agent_version = version
    if found.applied_version < found.config_version:  # it takes over what this answer holds
        service.confirm_config(session, host, found.config_version)
        session.flush()
        session.refresh(found)
        push.tell_pages(session, [found])
    welcome = contract.Welcome(config=service.config_of(found), stored=found.stored_seq, watch=0)
    session.commit()
    with suppress(WampError):  # the watchman will tell it
        welcome["watch"] = WATCH if is_watched(host) else 0
    return welcome


@wamp.register(contract.APPEND, roles=(contract.ROLE,))
def append(samples: object, dropped: object = 0, clock: object = None) -> contract.Appended:
    """Store samples, each once.

    :raises CallFailed: ``monitor.error.invalid``: they can never be stored; ``monitor.error.not_found``.
    """
    try:
        batch = checked_batch(samples)
        stored = _store(history.Handover(_asking_host(), batch, _moment(clock), _count(dropped)))
    except MonitorError as error:
        raise CallFailed(error.uri, str(error)) from None
    return contract.Appended(stored=stored)


def _append_all(handovers: Sequence[history.Handover]) -> Sequence[int | Exception]:
    session = db.session()
    try:
        outcomes = history.append(session, handovers)
        session.commit()
    except BaseException:
        session.rollback()
        raise
    return outcomes


_store: Batcher[history.Handover, int] = Batcher(_append_all)


def _asking_host() -> str:
    return host_of(caller.authid)


def _moment(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0
