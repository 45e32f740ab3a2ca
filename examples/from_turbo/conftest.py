"""The app, in a folder of its own. In a project of your own: ``pytest_plugins = ["wampflask.pytest_plugin"]``."""

import pytest

from rig.examples import load
from wampflask.pytest_plugin import wamp_memory

__all__ = ["app", "wamp_memory"]


@pytest.fixture
def app(tmp_path):
    return load("from_turbo", tmp_path).app
