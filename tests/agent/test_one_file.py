"""The agent as the hub serves it: one file under any name, with the same bytes from every checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rig.agent import PYTHON, AgentProcess
from rig.hub import Hub, wait_for
from tests.agent.running import PACKAGE, run
from wampflask.apps.monitor.agent_file import archive, packed


@pytest.fixture
def served(tmp_path: Path) -> Path:
    file = tmp_path / "agent.py"
    file.write_bytes(archive() or b"")
    return file


def test_it_reports_to_a_hub(hub: Hub, served: Path, tmp_path: Path) -> None:
    with AgentProcess(tmp_path, "--server", hub.address, "--token", hub.token(), program=served) as running:
        _, host = hub.one()
        wait_for(lambda: host.stored, "reports stored")
        assert running.stop() == 0


@pytest.mark.parametrize("name", ["agent.py", "agent.pyz", "agent"])
def test_it_runs_under_any_name(served: Path, tmp_path: Path, name: str) -> None:
    renamed = served.rename(tmp_path / name)
    assert json.loads(run(tmp_path, "--once", program=renamed).stdout)["memory"]["total"] > 0
    unit = run(tmp_path, "--systemd", "--server", "http://hub:8080", program=renamed).stdout
    assert f"ExecStart={PYTHON} {renamed}\n" in unit


def test_its_bytes_depend_on_the_sources_alone(tmp_path: Path) -> None:
    copy = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for file in copy.iterdir():
        os.utime(file, (1e9, 1e9))
        file.chmod(0o600)
    assert packed(copy) == archive()
    (copy / "__init__.py").write_text('__version__ = "9"\n')
    assert packed(copy) != archive()


def test_without_its_packages_it_says_how_to_install_them(served: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, "-S", "-E", served, "--once"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    for line in (PACKAGE / "requirements.txt").read_text().splitlines():
        assert f'"{line}"' in done.stderr
