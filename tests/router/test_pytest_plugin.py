"""The public fixtures, used as a stranger's test suite would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CONFTEST = """
import pytest
from flask import Flask
from wampflask import WAMP

pytest_plugins = ["wampflask.pytest_plugin"]

declared = WAMP()

@declared.register("demo.double", allow="everyone")
def double(number):
    return 2 * number

@pytest.fixture(scope="session")
def wamp():
    return declared

@pytest.fixture
def app(tmp_path):
    app = Flask("theirs", instance_path=str(tmp_path))
    declared.init_app(app)
    return app
"""

TESTS = """
import pytest
from wampflask import NoSuchProcedure, NotAuthorized

def test_in_memory(wamp_memory):
    page = wamp_memory.page()
    assert page.call("demo.double", 4) == 8
    with pytest.raises(NotAuthorized):
        page.subscribe("demo.double")

def test_one(wamp_router, wamp_config):
    assert wamp_config["WAMP_URL"] == wamp_router.url
    with wamp_router.page() as page, pytest.raises(NoSuchProcedure):
        page.call("demo.double", 4)

def test_two(wamp_router):
    assert wamp_router.log().count("permissions guard") == 1
"""


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_theirs.py").write_text(TESTS)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", folder, folder],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


def test_a_suite_with_our_fixtures(tmp_path: Path) -> None:
    done = run(tmp_path)

    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_without_crossbar_it_errors_and_is_not_skipped(tmp_path: Path) -> None:
    done = run(tmp_path, WAMPFLASK_CROSSBAR="/nowhere/crossbar")

    assert "1 passed, 2 errors" in done.stdout
    assert "Crossbar.io is not installed" in done.stdout
