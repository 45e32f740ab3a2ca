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
DIST = ROOT / "wampflask" / "browser" / "dist"
SMALL = {"wampflask.js": 8_000, "table.js": 4_000}
"""Bytes that a page loads at most, compressed; the second only where it shows a bound table."""


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


def test_the_bundles_are_what_the_sources_make(tmp_path: Path) -> None:
    script = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["scripts"]["build"]
    for command in script.split("&&"):
        name, *args = shlex.split(command)
        made = tmp_path / Path(args[-1]).name
        args[-1] = f"--outfile={made}"
        subprocess.run([program(name, ROOT / "node_modules" / ".bin"), *args], cwd=ROOT, check=True)
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in DIST.iterdir()} == set(SMALL)
    for made in tmp_path.iterdir():
        assert made.read_bytes() == (DIST / made.name).read_bytes(), "Run `npm run build` and commit what it makes."


@pytest.mark.parametrize("name", SMALL)
def test_the_bundles_are_small(name: str) -> None:
    assert len(gzip.compress((DIST / name).read_bytes(), mtime=0)) <= SMALL[name]
