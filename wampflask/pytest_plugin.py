"""pytest fixtures: pages in memory, and on a real router. In your root ``conftest.py``::

    pytest_plugins = ["wampflask.pytest_plugin"]

A test that asks for ``wamp_memory`` has the app of your fixture ``app`` on a realm in memory. One that asks for
``wamp_router`` has a running :class:`~wampflask.testing.RouterNode`, one for the session, with the permissions of your
fixture ``wamp``; ``wamp_config`` is the configuration of an app that uses it. Without Crossbar such a test errors and
says how to install it; it is never skipped. docs/testing.md has examples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from .extension import WAMP
from .in_memory import MemoryRealm, in_memory
from .permissions import Permission
from .testing import RouterNode

__all__ = ["wamp", "wamp_config", "wamp_memory", "wamp_permissions", "wamp_router"]


@pytest.fixture
def wamp_memory(app: Flask) -> Iterator[MemoryRealm]:
    """The realm in memory of your fixture ``app``."""
    with in_memory(app) as realm:
        yield realm


@pytest.fixture(scope="session")
def wamp() -> WAMP:
    """Whose permissions and roles the router has; override it with your app's."""
    return WAMP()


@pytest.fixture(scope="session")
def wamp_permissions(wamp: WAMP) -> tuple[Permission, ...]:
    """What roles other than backend may do."""
    return wamp.permissions


@pytest.fixture(scope="session")
def wamp_router(wamp: WAMP, wamp_permissions: tuple[Permission, ...]) -> Iterator[RouterNode]:
    """A running router for the whole session."""
    with RouterNode(wamp_permissions, roles=wamp.roles) as node:
        yield node


@pytest.fixture
def wamp_config(wamp_router: RouterNode) -> dict[str, Any]:
    """The ``WAMP_*`` keys of an app that uses ``wamp_router``."""
    return wamp_router.config
