"""What a process has loaded that imports the library, or makes an app with it: not what it may never need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LATE = {"twisted", "crochet", "autobahn", "txaio", "asyncio", "http.cookiejar", "sqlalchemy", "flask_login"}
LATE |= {"wampflask.cli", "wampflask.dev", "wampflask.binding", "wampflask.changes", "wampflask.in_memory"}
LATE |= {f"wampflask.router.{name}" for name in ("render", "node", "lint", "install", "wire")}

IMPORT = "import wampflask"
MAKE_AN_APP = """
import flask, wampflask
app = flask.Flask("shop", instance_path={instance!r})
wamp = wampflask.WAMP(app)
wamp.register("shop.add", allow="everyone")(lambda a, b: a + b)
wamp.value("shop.stock.<item>", allow="everyone")(lambda item: item)
"""
SAY = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize("code", [IMPORT, MAKE_AN_APP], ids=["import", "app"])
def test_what_may_never_be_needed_is_not_loaded(code: str, tmp_path: Path) -> None:
    program = code.format(instance=str(tmp_path)) + SAY
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded = set(json.loads(said))
    assert "wampflask.extension" in loaded
    assert loaded & LATE == set()
