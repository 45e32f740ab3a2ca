"""The browser client's own tests run in Node; its bundle is what its sources make, and small."""

from __future__ import annotations

import gzip
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUNDLE = ROOT / "wampflask" / "browser" / "dist" / "wampflask.js"
SMALL = 8_000
"""Bytes that a page loads at most, compressed."""


def program(name: str, *places: Path) -> str:
    """A program of this machine, of node_modules, or of the Python package that carries Node."""
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    found = shutil.which(name, path=path)
    assert found, f"There is no {name}: run `make setup`."
    return found


@pytest.mark.parametrize("file", sorted(file.name for file in HERE.glob("*.test.js")))
def test_in_node(file: str) -> None:
    done = subprocess.run(
        [program("node"), "--test", "--test-reporter=spec", HERE / file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests 0" not in done.stdout


def test_the_bundle_is_what_the_sources_make(tmp_path: Path) -> None:
    script = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["scripts"]["build"]
    name, *args = shlex.split(script)
    made = tmp_path / "wampflask.js"
    args[-1] = f"--outfile={made}"
    esbuild = program(name, ROOT / "node_modules" / ".bin")
    subprocess.run([esbuild, *args], cwd=ROOT, check=True)
    assert made.read_bytes() == BUNDLE.read_bytes(), "Run `npm run build` and commit what it makes."


def test_the_bundle_is_small() -> None:
    assert len(gzip.compress(BUNDLE.read_bytes(), mtime=0)) <= SMALL
