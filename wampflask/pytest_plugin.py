"""pytest fixtures with a real router. In your root ``conftest.py``::

    pytest_plugins = ["wampflask.pytest_plugin"]

    @pytest.fixture(scope="session")
    def wamp_permissions() -> tuple[Permission, ...]:
        return contract.PERMISSIONS

A test that asks for ``wamp_router`` gets a running :class:`~wampflask.testing.RouterNode`, one for the
session; ``wamp_config`` is the configuration of an app that uses it. Without Crossbar such a test errors
and says how to install it; it is never skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .permissions import Permission
from .testing import RouterNode

__all__ = ["wamp_config", "wamp_permissions", "wamp_router"]


@pytest.fixture(scope="session")
def wamp_permissions() -> tuple[Permission, ...]:
    """What roles other than backend may do; override it."""
    return ()


@pytest.fixture(scope="session")
def wamp_router(wamp_permissions: tuple[Permission, ...]) -> Iterator[RouterNode]:
    """A running router for the whole session."""
    with RouterNode(wamp_permissions) as node:
        yield node


@pytest.fixture
def wamp_config(wamp_router: RouterNode) -> dict[str, Any]:
    """The ``WAMP_*`` keys of an app that uses ``wamp_router``."""
    return wamp_router.config
