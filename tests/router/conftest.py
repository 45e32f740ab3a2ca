"""One router for all questions of permission, and one with tight limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rig.contracts import declared_by_the_site
from wampflask.permissions import PAGES, Permission
from wampflask.testing import RouterNode

OWN = (
    Permission("table.read", call=PAGES),
    Permission("table.rated", call=PAGES, rate="3/minute"),
    Permission("table.write", call=("user", "admin")),
    Permission("table.admin.reset", call=("admin",)),
    Permission("table.public", call=("anonymous", *PAGES), subscribe=("anonymous",)),
    Permission("table.update.<question>", subscribe=PAGES),
    Permission("table.room.<label>.message", subscribe=PAGES, publish=("user",)),
    Permission("table.room.<label>.presence", subscribe=("admin",), publish=("user",), disclose=True),
    Permission("table.secret.<id>.<!key>", subscribe=PAGES),
    Permission("table.mine.{authid}", subscribe=("visitor", "user"), publish=("visitor",), call=("user",)),
    Permission("table.host.{host}.configure", register=("agent",), call=("admin",)),
    Permission("table.host.{host}.stats", publish=("agent",), subscribe=("agent",)),
    Permission("table.stats.<host>", subscribe=("admin",)),
    Permission("table.remote.<page>.play", register=("visitor",), call=PAGES),
    Permission("table.remote.<page>.open", register=("visitor",), call=PAGES, disclose=True),
)


ALL = OWN + declared_by_the_site()


@pytest.fixture(scope="session")
def node() -> Iterator[RouterNode]:
    """Every permission there is, no rate limit; a second realm, ``other``, with one permission."""
    realms = {"wampflask": ALL, "other": (Permission("elsewhere.read", call=("visitor",)),)}
    with RouterNode(realms, rate=0) as running:
        yield running


@pytest.fixture(scope="session")
def strict_node() -> Iterator[RouterNode]:
    """Tight limits, no anonymous guests."""
    with RouterNode(
        (Permission("table.read", call=PAGES), Permission("table.update.<question>", subscribe=PAGES)),
        origins=("http://pages.example:8080", "https://*.polls.example"),
        join_timeout=1.0,
        rate=5.0,
        burst=20.0,
        max_message=4096,
        max_connections=8,
    ) as running:
        yield running
