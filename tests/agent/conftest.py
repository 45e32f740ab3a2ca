"""A real router for the agent's tests, and a small hub on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rig.agent import AgentProcess
from rig.hub import Hub
from wampflask.apps.monitor import contract
from wampflask.testing import RouterNode

StartAgent = Callable[..., AgentProcess]


@pytest.fixture(scope="session")
def node() -> Iterator[RouterNode]:
    with RouterNode(permissions=contract.PERMISSIONS) as running:
        yield running


@pytest.fixture
def hub(node: RouterNode) -> Iterator[Hub]:
    with Hub(node) as running:
        yield running


@pytest.fixture
def start(hub: Hub, tmp_path: Path) -> Iterator[StartAgent]:
    """Start an agent of this hub; it ends with the test."""
    with ExitStack() as stack:

        def start(*arguments: str, token: str | None = None, **env: Any) -> AgentProcess:
            given = ("--token", hub.token() if token is None else token)
            return stack.enter_context(AgentProcess(tmp_path, "--server", hub.address, *given, *arguments, **env))

        yield start
