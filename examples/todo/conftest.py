"""The app, as tests have it. In a project of your own: ``pytest_plugins = ["wampflask.pytest_plugin"]``."""

import pytest

from examples.todo.app import create_app
from rig.databases import url_in
from wampflask.pytest_plugin import wamp_memory

__all__ = ["app", "wamp_memory"]


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "test")
    monkeypatch.setenv("TODO_DATABASE", url_in(tmp_path, "todo"))
    return create_app(tmp_path)
