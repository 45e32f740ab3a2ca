"""Delivers edited settings to agents, and stores what each answered. A job: it commits what it stores."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask, current_app

from wampflask import CallOptions, NoSuchProcedure, NotConnected
from wampflask.apps.extensions import db, wamp
from wampflask.apps.monitor import contract, live
from wampflask.apps.monitor.service import list_hosts
from wampflask.apps.text import one_line

from . import service

TIMEOUT = 3.0
"""Seconds for an agent to answer; one that takes longer gets its configuration when it reconnects."""
AT_ONCE = 16
"""Agents that are called at the same time."""
_OFFLINE = (NoSuchProcedure, NotConnected)


def cut_off(host: str) -> None:
    """End the session of a removed host's agent; its alerts are gone, too. To be called after the commit."""
    wamp.revoke(contract.authid(host))
    live.open_alerts.changed()


def deliver(hosts: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Send their settings to the agents of hosts, and return by host what :func:`service.application` does.

    To be called after the commit of the edit.
    """
    session = db.session()
    configs = {host.host: service.config_of(host) for host in list_hosts(session, hosts)}
    session.commit()  # no lock is held while agents answer
    answers = call_agents({host: (contract.CONFIGURE, (config,)) for host, config in configs.items()})
    for host, answer in answers.items():
        if isinstance(answer, Exception):
            if not isinstance(answer, _OFFLINE):
                said = one_line(str(answer), 300)
                current_app.logger.warning("The agent of host %s did not accept its settings: %s", host, said)
        else:
            service.record_answer(session, host, answer)
    session.expire_all()
    found = list_hosts(session, list(configs))
    live.settings_changed(configs)
    result = {host.host: service.application(host) for host in found}
    session.commit()
    return result


def call_agents(calls: dict[str, tuple[str, tuple[Any, ...]]], timeout: float = TIMEOUT) -> dict[str, Any]:
    """Call procedures of several agents at once. Raises nothing: one agent's error must not stop the other calls.

    :param calls: by host, one of the contract's procedures on agents and its arguments.
    :returns: by host, the answer or the exception.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's way

    def call(item: tuple[str, tuple[str, tuple[Any, ...]]]) -> tuple[str, Any]:
        host, (procedure, args) = item
        with app.app_context():
            try:
                uri = contract.for_host(procedure, host)
                return host, wamp.call(uri, *args, options=CallOptions(timeout=timeout))
            except Exception as error:  # a boundary: it concerns this host only
                return host, error

    if len(calls) == 1:
        return dict(map(call, calls.items()))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="agents") as pool:
        return dict(pool.map(call, calls.items()))
