"""Brings an edited configuration to the agents, and notes what each said to it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask, current_app

from wampflask import CallOptions, NoSuchProcedure, NotConnected
from wampflask.apps.extensions import db, wamp
from wampflask.apps.text import one_line

from . import contract, live, service

TIMEOUT = 3.0
"""Seconds for an agent to answer; one that takes longer gets its configuration when it returns."""
AT_ONCE = 16
_OFFLINE = (NoSuchProcedure, NotConnected)


def cut_off(host: str) -> None:
    """End the session of a removed host's agent; its alerts went with it. After the commit."""
    wamp.revoke(contract.authid(host))
    live.open_alerts.changed()


def push(hosts: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Call the agents of hosts, several at once; by host what came of it, as :func:`service.application` says it.

    To be called after the commit of the edit. Commits what the agents said.
    """
    session = db.session()
    configs = {host.host: service.config_of(host) for host in service.list_hosts(session, hosts)}
    session.commit()  # no lock is held while agents think
    answers = call_agents({host: (contract.CONFIGURE, (config,)) for host, config in configs.items()})
    for host, answer in answers.items():
        if isinstance(answer, Exception):
            if not isinstance(answer, _OFFLINE):
                said = one_line(str(answer), 300)
                current_app.logger.warning("The agent of host %s did not take its configuration: %s", host, said)
        else:
            service.settle(session, host, answer)
    session.expire_all()
    found = service.list_hosts(session, list(configs))
    live.settings_changed(configs)
    result = {host.host: service.application(host) for host in found}
    session.commit()
    return result


def call_agents(calls: dict[str, tuple[str, tuple[Any, ...]]], timeout: float = TIMEOUT) -> dict[str, Any]:
    """Call a procedure of several agents at once: by host, the answer or the exception that came of it. Raises nothing:
    what one agent says must not keep the others from being called.

    :param calls: by host, one of the contract's procedures on agents and its arguments.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's way

    def call(item: tuple[str, tuple[str, tuple[Any, ...]]]) -> tuple[str, Any]:
        host, (procedure, args) = item
        with app.app_context():
            try:
                uri = contract.for_host(procedure, host)
                return host, wamp.call(uri, *args, options=CallOptions(timeout=timeout))
            except Exception as error:  # a boundary: it is this host's
                return host, error

    if len(calls) == 1:
        return dict(map(call, calls.items()))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="agents") as pool:
        return dict(pool.map(call, calls.items()))
