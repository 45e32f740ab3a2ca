"""The app, in a folder of its own. In a project of your own: ``pytest_plugins = ["wampflask.pytest_plugin"]``."""

import pytest

from rig.examples import load
from wampflask.pytest_plugin import wamp_memory

__all__ = ["app", "example", "wamp_memory"]


@pytest.fixture
def example(tmp_path):
    return load("from_socketio", tmp_path)


@pytest.fixture
def app(example):
    return example.app
