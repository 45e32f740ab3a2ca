"""What agents call over WAMP."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from flask import current_app
from sqlalchemy.exc import OperationalError

from wampflask import WampError
from wampflask.apps import wire
from wampflask.apps.access import current_actor
from wampflask.apps.answering import procedure
from wampflask.apps.errors import Invalid
from wampflask.apps.extensions import db, wamp
from wampflask.apps.text import one_line

from . import contract, history, live, service
from .batching import Batcher
from .samples import EARLIEST, LARGEST, LATEST, checked_batch
from .watchman import WATCH, is_watched

wamp.permit(*contract.PERMISSIONS)


@procedure(contract.READY, roles=(contract.ROLE,))
def ready(hello: object) -> contract.Welcome:
    """An agent can be called from now on; it gets the configuration once more, in case of an edit just now.

    :raises NotFound: the host was removed.
    """
    session, host = db.session(), contract.host_of(current_actor().authid)
    found = service.get_host(session, host)
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


@procedure(contract.APPEND, roles=(contract.ROLE,))
def append(samples: object, dropped: object = 0, clock: object = None) -> contract.Appended:
    """Store samples, each once.

    :raises Invalid: they can never be stored.
    :raises NotFound: the host was removed.
    """
    batch = checked_batch(samples)
    moment, lost = None, 0
    with suppress(Invalid):  # samples count without either
        moment = wire.number(clock, "clock", EARLIEST, LATEST)
    with suppress(Invalid):
        lost = wire.whole(dropped, "dropped", 0, LARGEST)
    handover = history.Handover(contract.host_of(current_actor().authid), batch, moment, lost)
    return contract.Appended(stored=_store(handover))


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
