"""Fixtures that start whole sites, and see that nothing of them is left."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.run.running import Site


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a unix socket's path has 107 bytes at most."""
    path = Path(tempfile.mkdtemp(prefix="wf-"))
    yield path
    path.chmod(0o700)
    shutil.rmtree(path)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Site]]:
    """Start sites: `start(name, port=…, wamp_port=…)`; all of them are gone at the end of the test."""
    sites: list[Site] = []

    def start_one(name: str = "instance", *, port: int = 0, wamp_port: int = 0) -> Site:
        sites.append(Site(folder / name, port, wamp_port))
        return sites[-1]

    yield start_one
    for site in sites:
        site.close()
