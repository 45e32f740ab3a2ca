"""Installing Crossbar into a virtual environment of its own, in the versions that wampflask is tested with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .node import RouterError

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FOLDER = Path(".crossbar") / "venv"

# Two serializers that we never use come as source; in plain Python they need no compiler.
NO_COMPILER = {"PYBJDATA_NO_EXTENSION": "1", "PYUBJSON_NO_EXTENSION": "1"}
# autobahn does without it; one that pip compiled earlier and kept complains of NumPy at each start of the router.
UNWANTED = "bjdata"

_STEP = 20  # packages between two lines of progress
_OFFLINE = re.compile(r"NewConnectionError|Max retries|Could not fetch URL|No matching distribution|ConnectTimeout")


def install(folder: Path, report: Callable[[str], None]) -> Path:
    """Make the environment, or complete it; the program in it.

    :param folder: of the environment; it gets about 400 MB.
    :param report: takes lines of progress.
    :raises RouterError: saying what is in the way.
    """
    if folder.is_symlink():
        raise RouterError(f"{folder} is a link to another environment: remove it, or name another --folder.")
    if not (folder / "bin" / "pip").exists():
        report(f"Making {folder}")
        _run([sys.executable, "-m", "venv", str(folder)], f"{sys.executable} cannot make {folder}", lambda _line: None)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    wanted = sum(not line.startswith("#") for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines())
    options = ["--prefer-binary", "--no-warn-script-location", "--progress-bar", "off"]
    failed = "Crossbar.io cannot be installed"
    _run([*pip, "install", *options, "-r", str(REQUIREMENTS)], failed, _Progress(wanted, report))
    _run([*pip, "uninstall", "--quiet", "--yes", UNWANTED], failed, lambda _line: None)
    return folder / "bin" / "crossbar"


class _Progress:
    """Makes a few lines of pip's many."""

    def __init__(self, wanted: int, report: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._report = report
        self._found = 0

    def __call__(self, line: str) -> None:
        if line.startswith(("Collecting ", "Processing ", "Requirement already satisfied")):
            self._found += 1
            if self._found == self._wanted or (self._found < self._wanted and self._found % _STEP == 0):
                self._report(f"  {self._found} of {self._wanted} packages fetched")
        elif line.startswith("Installing collected packages"):
            self._report("  writing them")


def _run(command: list[str], failed: str, see: Callable[[str], None]) -> None:
    """Run it, and show ``see`` each line that it writes.

    :raises RouterError: it failed; ``failed``, and what it said of why.
    """
    lines: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **NO_COMPILER},
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            see(lines[-1])
    if process.returncode:
        raise RouterError(f"{failed}: {_reason(lines)}")


def _reason(lines: list[str]) -> str:
    text = "\n".join(lines)
    if "ensurepip" in text:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"its venv module is missing. On Debian and Ubuntu: apt-get install python{version}-venv"
    if "No space left on device" in text:
        return "the disk is full; free 1 GB and try again"
    if _OFFLINE.search(text):
        return "the package registry could not be reached; check the network or proxy and try again"
    problems = [line for line in lines if "error" in line.lower()] or lines[-1:]
    return problems[0].strip() if problems else "it printed nothing"
