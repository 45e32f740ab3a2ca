"""The step of the set-up that installs the programs which tests run."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
APT = '#!/bin/sh\necho "$@" >> "{calls}"\n'


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module setup_steps on a machine where nothing is installed and Playwright cannot fetch anything."""
    spec = importlib.util.spec_from_file_location("setup_steps", ROOT / ".ci" / "setup_steps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "env"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setattr(module, "SITE", tmp_path)
    monkeypatch.setattr(module, "PLACES_OF_PROGRAMS", ())
    monkeypatch.setattr(module, "POSTGRES", str(tmp_path / "none"))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(programs))
    return module


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    """An apt-get that only writes down what it is asked; its file."""
    calls, program = tmp_path / "calls", tmp_path / "programs" / "apt-get"
    program.write_text(APT.format(calls=calls), encoding="utf-8")
    program.chmod(0o755)
    return calls


def test_what_is_missing_is_installed_in_one_call(
    steps: ModuleType, apt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps.os, "geteuid", lambda: 0)
    steps.programs_step().work()
    first, second = apt.read_text().splitlines()
    assert first.startswith("update")
    assert second.startswith("install")
    wanted = {"caddy", "chromium-headless-shell", "ffmpeg", "nginx-light", "postgresql", "redis-server", "systemd"}
    assert wanted <= set(second.split())


def test_who_may_not_install_is_told_what_to_install(
    steps: ModuleType, apt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps.os, "geteuid", lambda: 1000)
    with pytest.raises(steps.SetupError, match=r"nginx-light.*postgresql.*chromium-headless-shell.*CHROMIUM="):
        steps.programs_step().work()
    assert not apt.exists()


def test_nothing_is_done_where_all_is_there(steps: ModuleType, tmp_path: Path) -> None:
    for name in (*steps.PACKAGES, "chromium"):
        program = tmp_path / "programs" / name
        program.write_text("#!/bin/sh\n", encoding="utf-8")
        program.chmod(0o755)
    assert steps.missing_packages() == []
    assert steps.programs_step() is None
