"""What agents call over WAMP."""

from __future__ import annotations

from contextlib import suppress

from wampflask import WampError
from wampflask.apps import wire
from wampflask.apps.access import current_actor
from wampflask.apps.answering import procedure
from wampflask.apps.errors import Invalid
from wampflask.apps.extensions import db, wamp
from wampflask.apps.text import one_line

from . import contract, live, service
from .intake import history, uploads
from .intake.samples import EARLIEST, LARGEST, LATEST, checked_batch
from .settings import watching
from .settings.service import config_of, confirm_config

wamp.permit(*contract.PERMISSIONS)


@procedure(contract.READY, roles=(contract.ROLE,))
def ready(hello: object) -> contract.Welcome:
    """Return the configuration to an agent that can be called from now on: it may have been edited just now.

    :raises NotFound: the host was removed.
    """
    session, host = db.session(), contract.host_of(current_actor().authid)
    found = service.get_host(session, host)
    version = one_line(str(hello.get("agent", "")), 40) if isinstance(hello, dict) else ""
    if version and version != found.agent_version:
        found.agent_version = version
    if found.applied_version < found.config_version:  # the agent applies what this answer holds
        confirm_config(session, host, found.config_version)
        session.refresh(found)
        live.settings_changed([host])
    welcome = contract.Welcome(config=config_of(found), stored=found.stored_seq, watch=0)
    session.commit()
    with suppress(WampError):  # the leader will call it
        welcome["watch"] = watching.SECONDS if watching.is_watched(host) else 0
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
    upload = history.Upload(contract.host_of(current_actor().authid), batch, moment, lost)
    return contract.Appended(stored=uploads.store(upload))
