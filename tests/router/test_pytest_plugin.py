"""The public fixtures, used as a stranger's test suite would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFTEST = """
import pytest
from wampflask import Permission
from wampflask.permissions import PAGES

pytest_plugins = ["wampflask.pytest_plugin"]

@pytest.fixture(scope="session")
def wamp_permissions():
    return (Permission("demo.uuid", call=PAGES),)
"""

TESTS = """
from wampflask.router import wire as w

def test_one(wamp_router, wamp_config):
    assert wamp_config["WAMP_URL"] == wamp_router.url
    with wamp_router.session("visitor", "visitor:v1") as guest:
        assert guest.ask(w.CALL, "demo.uuid", [])[4] == "wamp.error.no_such_procedure"

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

    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_without_crossbar_it_errors_and_is_not_skipped(tmp_path: Path) -> None:
    done = run(tmp_path, WAMPFLASK_CROSSBAR="/nowhere/crossbar")

    assert "2 errors" in done.stdout
    assert "Crossbar.io is not installed" in done.stdout
