"""The agent imports nothing of ours, and says the same as the contract; the router keeps it to that."""

from __future__ import annotations

import ast
import contextlib
import re
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from wampflask_agent import agent, config, uploads
from wampflask_agent.config import Config
from wampflask_agent.metrics import METRICS

from rig.agent import AGENT
from wampflask.apps.monitor import contract
from wampflask.apps.monitor.metrics import GROUPS
from wampflask.router.wire import CALL, ERROR, PUBLISH, PUBLISHED, REGISTER, REGISTERED, SUBSCRIBE, SUBSCRIBED
from wampflask.testing import RouterNode

SOURCES = [AGENT, *AGENT.parent.glob("wampflask_agent/*.py")]
ALICE, BOB = "a" * 32, "b" * 32


def test_the_names_are_the_same() -> None:
    assert (agent.READY, uploads.APPEND) == (contract.READY, contract.APPEND)
    assert (uploads.INVALID, agent.DISABLED) == (contract.INVALID, contract.DISABLED)
    assert (config.FREQUENCY, config.HANDOVER) == (contract.FREQUENCY, contract.HANDOVER)
    assert (agent.WATCHED_INTERVAL, agent.MAX_WATCH) == (contract.WATCHED_INTERVAL, contract.MAX_WATCH)
    source = Path(agent.__file__).read_text()
    for uri in (contract.CONFIGURE, contract.WATCH, contract.PROCESSES):
        assert f'"{uri.rpartition(".")[2]}": self.' in source
    assert 'f"monitor.host.{self._host}.{name}"' in source
    assert 'f"monitor.clientstats.{self._host}"' in source


def test_the_config_is_the_same() -> None:
    assert set(Config().as_json()) == set(contract.Config.__annotations__) == set(contract.DEFAULT_CONFIG)
    assert Config.parse(contract.DEFAULT_CONFIG) == Config(version=1)
    assert Config.parse({}) == Config()


def test_the_switches_are_the_same() -> None:
    measured: dict[str, set[str]] = {}
    for metric in METRICS:
        measured.setdefault(metric.group, set()).add(metric.name.partition(".")[0])
    assert measured == {name: set(group.fields) for name, group in GROUPS.items()}


def test_a_sample_has_the_fields_of_the_contract() -> None:
    declared = {metric.name.partition(".")[0] for metric in METRICS}
    always = {"host", "name", "ip", "time", "interval", "version"}
    assert declared | always | {"seq", "failed"} == set(get_type_hints(contract.Sample))


def test_the_source_is_for_python_3_9() -> None:
    for file in SOURCES:
        ast.parse(file.read_text(), feature_version=(3, 9))


def test_the_agent_needs_two_packages_alone() -> None:
    tops = {
        name.partition(".")[0]
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    foreign = tops - set(sys.stdlib_module_names)
    assert foreign == {"wampflask_agent", "psutil", "autobahn"}


def test_autobahn_is_imported_by_the_session_alone() -> None:
    """It chooses asyncio for the whole process: these tests, with Twisted in theirs, can import all the rest."""
    importers = {
        file.name for file in SOURCES if re.search(r"^ *(from|import) autobahn", file.read_text(), re.MULTILINE)
    }
    assert importers == {"session.py"}
    assert "autobahn.asyncio" not in sys.modules


@pytest.mark.parametrize(
    ("role", "action", "uri", "options", "allowed"),
    [
        ("agent", PUBLISH, f"monitor.clientstats.{ALICE}", {}, True),
        ("agent", PUBLISH, f"monitor.clientstats.{BOB}", {}, False),
        ("agent", PUBLISH, f"monitor.clientconfig.{ALICE}", {}, False),
        ("agent", PUBLISH, f"monitor.presence.{ALICE}", {}, False),
        ("agent", REGISTER, f"monitor.host.{ALICE}.configure", {}, True),
        ("agent", REGISTER, f"monitor.host.{ALICE}.configure", {"force_reregister": True}, True),
        ("agent", REGISTER, f"monitor.host.{BOB}.configure", {}, False),
        ("agent", REGISTER, f"monitor.host.{BOB}.processes", {"force_reregister": True}, False),
        ("agent", REGISTER, "monitor.history.append", {}, False),
        ("agent", REGISTER, "monitor.host.", {"match": "prefix"}, False),
        ("agent", CALL, f"monitor.host.{BOB}.configure", {}, False),
        ("agent", CALL, f"monitor.host.{BOB}.processes", {}, False),
        ("agent", CALL, "wamp.session.list", {}, False),
        ("agent", CALL, "chat.history", {}, False),
        ("agent", SUBSCRIBE, f"monitor.clientstats.{BOB}", {}, False),
        ("agent", SUBSCRIBE, "monitor.clientstats.", {"match": "wildcard"}, False),
        ("agent", SUBSCRIBE, "player..state", {"match": "wildcard"}, False),
        ("agent", SUBSCRIBE, "wamp.session.on_join", {}, False),
        ("user", SUBSCRIBE, f"monitor.clientstats.{BOB}", {}, True),
        ("admin", SUBSCRIBE, "monitor.clientstats.", {"match": "wildcard"}, True),
        ("user", SUBSCRIBE, "monitor.presence.", {"match": "wildcard"}, True),
        ("user", SUBSCRIBE, "monitor.", {"match": "prefix"}, False),
        ("user", SUBSCRIBE, "monitor..", {"match": "wildcard"}, False),
        ("user", CALL, f"monitor.host.{BOB}.configure", {}, False),
        ("admin", CALL, f"monitor.host.{BOB}.watch", {}, False),
        ("user", CALL, "monitor.history.append", {}, False),
        ("user", PUBLISH, f"monitor.clientstats.{BOB}", {}, False),
        ("visitor", SUBSCRIBE, f"monitor.clientstats.{BOB}", {}, False),
        ("visitor", CALL, f"monitor.host.{BOB}.processes", {}, False),
    ],
)
def test_the_router_keeps_everybody_to_it(
    node: RouterNode, role: str, action: int, uri: str, options: dict[str, Any], *, allowed: bool
) -> None:
    claims = {"host": ALICE} if role == "agent" else {}
    authid = contract.authid(ALICE) if role == "agent" else f"{role}:1"
    done = {PUBLISH: PUBLISHED, REGISTER: REGISTERED, SUBSCRIBE: SUBSCRIBED}
    with contextlib.closing(node.session(role, authid, **claims)) as wire:
        answer = wire.ask(action, uri, options={**options, **({"acknowledge": True} if action == PUBLISH else {})})
    if allowed:
        assert answer[0] == done[action]
    else:
        assert answer[0] == ERROR
        assert answer[4] == "wamp.error.not_authorized"
