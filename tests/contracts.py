"""What the whole site has declared, for tests that run a router without asking the site to render its configuration."""

from __future__ import annotations

import importlib
from pathlib import Path

import wampflask.apps
from wampflask.permissions import Permission


def declared_by_the_site() -> tuple[Permission, ...]:
    """``PERMISSIONS`` of every ``contract.py`` of the site."""
    found: list[Permission] = []
    for file in sorted(Path(wampflask.apps.__path__[0]).glob("*/contract.py")):
        found += importlib.import_module(f"wampflask.apps.{file.parent.name}.contract").PERMISSIONS
    return tuple(found)
