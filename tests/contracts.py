"""What the whole site has declared, for tests that run a router without asking the site to render its configuration."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from wampflask.apps import create_app
from wampflask.apps.extensions import wamp
from wampflask.permissions import Permission


def declared_by_the_site() -> tuple[Permission, ...]:
    """The permissions of every feature's contract and live things."""
    with TemporaryDirectory() as folder:
        create_app({"INSTANCE": Path(folder), "TESTING": True})
    return wamp.permissions
