"""One router for every test here; none of them kills it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.processes.programs import HERE, Probe, configuration, unique
from wampflask import Permission
from wampflask.testing import RouterNode

PEOPLE = ("visitor", "user", "admin")
PERMISSIONS = (
    Permission("people.<test>.call", call=PEOPLE),
    Permission("people.<test>.event", publish=PEOPLE, disclose=True),
)


@pytest.fixture(scope="session")
def node() -> Iterator[RouterNode]:
    with RouterNode({"wampflask": PERMISSIONS, "second": ()}, remote_backend=True) as running:
        yield running


@pytest.fixture
def probe(node: RouterNode) -> Iterator[Probe]:
    with Probe(node) as probe:
        yield probe


@pytest.fixture
def prefix() -> str:
    return unique()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the small app in it."""
    shutil.copy(HERE / "app_small.py", tmp_path / "app_small.py")
    return tmp_path


@pytest.fixture
def env(node: RouterNode, prefix: str) -> dict[str, str]:
    """The environment of programs that join the router."""
    return {**configuration(node), "DEMO_PREFIX": prefix}
