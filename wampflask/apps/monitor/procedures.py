"""What agents call over WAMP."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from flask import current_app
from sqlalchemy.exc import OperationalError

from wampflask import CallFailed, WampError, caller
from wampflask.apps.extensions import db, wamp

from . import contract, history, live, service
from .batching import Batcher
from .models import MonitorError, one_line
from .samples import EARLIEST, LARGEST, LATEST, checked_batch
from .watchman import WATCH, host_of, is_watched
from .wire import number, whole

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
    version = one_line(str(hello.get("agent", "")), 40) if isinstance(hello, dict) else ""
    if version and version != found.agent_version:
        found.agent_version = version
    if found.applied_version < found.config_version:  # it takes over what this answer holds
        service.confirm_config(session, host, found.config_version)
        session.refresh(found)
        live.settings_changed([host])
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
        batch, moment = checked_batch(samples), number(clock, EARLIEST, LATEST)
        stored = _store(history.Handover(_asking_host(), batch, moment, whole(dropped, 0, LARGEST) or 0))
    except MonitorError as error:
        raise CallFailed(error.uri, str(error)) from None
    return contract.Appended(stored=stored)


def _append_all(handovers: Sequence[history.Handover]) -> Sequence[int | Exception]:
    """In one transaction; each in its own when that fails for a reason that may be one host's.

    :raises OperationalError: the database itself is the trouble: locked, full, gone.
    """
    try:
        return _append_together(handovers)
    except OperationalError:
        raise
    except Exception:
        current_app.logger.exception("Samples of %s hosts could not be stored together", len(handovers))
        return [_append_alone(handover) for handover in handovers]


def _append_alone(handover: history.Handover) -> int | Exception:
    try:
        return _append_together([handover])[0]
    except Exception as error:  # a boundary: it is this host's
        return error


def _append_together(handovers: Sequence[history.Handover]) -> Sequence[int | Exception]:
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
