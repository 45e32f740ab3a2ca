"""What the whole site has declared, for tests that run a router without asking the site to render its configuration."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from wampflask.apps import create_app
from wampflask.apps.extensions import wamp
from wampflask.permissions import Permission


@cache
def declared_by_the_site() -> tuple[Permission, ...]:
    """The permissions of everything that the site declares."""
    with TemporaryDirectory() as folder:
        create_app({"INSTANCE": Path(folder) / "instance", "TESTING": True})
    return wamp.permissions
