"""docs/api.md is what the docstrings are, and every reference in them leads somewhere."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def api() -> ModuleType:
    spec = importlib.util.spec_from_file_location("api", ROOT / ".ci" / "api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_docstrings_are() -> None:
    done = subprocess.run(
        [sys.executable, ".ci/api.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("WAMP.publish", True),
        ("wampflask.live.Rows.changed", True),
        ("wampflask.live", True),
        ("Status.counters", True),
        ("WAMP.publihs", False),
        ("wampflask.live.Row", False),
        ("wampflask.lively", False),
    ],
)
def test_a_reference_to_what_there_is_not_is_found(api: ModuleType, name: str, expected: bool) -> None:
    assert api.is_there(name, [importlib.import_module("wampflask")]) is expected


def test_fields_and_references_become_markdown(api: ModuleType) -> None:
    doc = "Send.\n\n::\n\n    send(1)\n\n:param topic: see :meth:`~wampflask.WAMP.publish`.\n:raises QueueFull: ``x``."
    assert api.markdown(doc) == (
        "Send.\n\n```text\nsend(1)\n```\n\n- `topic`: see `WAMP.publish`.\n- raises `QueueFull`: `x`.\n"
    )
