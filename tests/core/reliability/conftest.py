"""A router that tests may kill; each gets it running."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.core.processes.programs import configuration, unique
from wampflask.testing import RouterNode


@pytest.fixture(scope="session")
def mortal() -> Iterator[RouterNode]:
    node = RouterNode()
    yield node
    node.close()


@pytest.fixture
def router(mortal: RouterNode) -> RouterNode:
    """The router, running."""
    if mortal.pid is None:
        mortal.start()
    return mortal


@pytest.fixture
def prefix() -> str:
    return unique()


@pytest.fixture
def env(router: RouterNode, prefix: str) -> dict[str, str]:
    """The environment of programs that join the router."""
    return {**configuration(router), "DEMO_PREFIX": prefix}
