"""The set-up behind `make`: quick when nothing is to do, one clear line when something cannot be done."""

from __future__ import annotations

import ast
import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.run.running import obey_permissions, only_line

ROOT = Path(__file__).resolve().parents[2]
BOOTSTRAP = ROOT / ".ci" / "bootstrap.py"
NOWHERE = "http://127.0.0.1:9/"  # the discard port: nobody listens there


@pytest.fixture
def steps() -> Iterator[ModuleType]:
    """The module setup_steps, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("setup_steps", ROOT / ".ci" / "setup_steps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout's files that the set-up reads, with nothing made yet."""
    for name in (".ci", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "wampflask" / "router").mkdir(parents=True)
    for name in ("package.json", "wampflask/router/requirements.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def set_up(copy: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, copy / ".ci" / "bootstrap.py", "run"],
        env={"PATH": os.environ["PATH"], "HOME": str(copy), **env},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=obey_permissions,
    )


def test_an_old_python_is_told_so() -> None:
    code = f"import sys, runpy; sys.version_info = (3, 9, 1, 'final', 0); runpy.run_path({str(BOOTSTRAP)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer, and this is 3.9" in only_line(done.stderr)


def test_the_version_check_is_written_for_old_pythons() -> None:
    tree = ast.parse(BOOTSTRAP.read_text(), feature_version=(3, 4))
    new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr)
    assert [node for node in ast.walk(tree) if isinstance(node, new)] == []


def test_nothing_to_do_takes_less_than_a_second() -> None:
    before = time.perf_counter()
    done = subprocess.run([sys.executable, BOOTSTRAP, "test"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.perf_counter() - before < 1


def test_without_a_registry_one_line_says_so(copy: Path) -> None:
    done = set_up(copy, PIP_INDEX_URL=NOWHERE, PIP_CONFIG_FILE=os.devnull, PIP_RETRIES="0", npm_config_registry=NOWHERE)
    assert done.returncode == 1
    assert "the package registry could not be reached" in only_line(done.stderr)
    assert not list(copy.glob("**/.*.stamp"))


def test_a_read_only_folder_is_told_in_one_line(copy: Path) -> None:
    copy.chmod(0o555)
    try:
        done = set_up(copy)
    finally:
        copy.chmod(0o755)
    assert done.returncode == 1
    line = only_line(done.stderr)
    assert line.startswith("wampflask: cannot write ")
    assert "use a folder that you own" in line


def test_a_full_disk_is_told_before_anything_begins(steps: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "NEEDED_BYTES", 10**18)
    with pytest.raises(steps.SetupError, match="MB free; the set-up takes up to"):
        steps.check_disk()


def test_a_disk_that_fills_up_is_told(steps: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("Collecting x\nERROR: Could not install packages: [Errno 28] No space left on device\n")
    assert "the disk is full" in steps.reason(log, 1)
    assert "free 1.5 GB" in steps.explain(OSError(errno.ENOSPC, "No space left on device", "x"))


def test_a_python_without_venv_is_told_how_to_get_it(steps: ModuleType) -> None:
    code = (
        f"import sys; sys.modules['ensurepip'] = None; sys.path.insert(0, {str(ROOT / '.ci')!r})\n"
        "import setup_steps\n"
        "try: setup_steps.check_python()\n"
        "except setup_steps.SetupError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"python{sys.version_info.major}.{sys.version_info.minor}-venv" in only_line(done.stdout)


def test_a_command_that_fails_is_told_by_its_error_line(steps: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(steps.SetupError, match=r"frobbing failed: error: no frob .*log"):
        steps.run(["sh", "-c", "echo begin; echo error: no frob; exit 3"], tmp_path / "log", "frobbing")
    with pytest.raises(steps.SetupError, match=r"frobbing failed: cannot run no-such-program"):
        steps.run(["no-such-program"], tmp_path / "log", "frobbing")


def test_an_environment_that_moved_or_broke_is_made_again(steps: ModuleType, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    assert not steps.usable(venv)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    assert not steps.usable(venv), "it has no pip"
    assert steps.usable(ROOT / ".venv")
    (venv / ".place").write_text("/another/folder")
    assert not steps.usable(venv), "its scripts point elsewhere"


def test_a_stamp_counts_only_with_its_text(steps: ModuleType, tmp_path: Path) -> None:
    stamp = tmp_path / "stamp"
    assert not steps.stamped(stamp, "x")
    stamp.write_text("x")
    assert steps.stamped(stamp, "x")
    assert not steps.stamped(stamp, "y")


def test_what_pages_load_comes_without_the_tools_of_tests(
    steps: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def note(command: list[str], log: Path, _purpose: str, _env: dict[str, str]) -> None:
        log.touch()
        commands.append(command)
        (tmp_path / "vendor").mkdir(exist_ok=True)

    monkeypatch.setattr(steps, "MODULES", tmp_path / "node_modules")
    monkeypatch.setattr(steps, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(steps, "ensure_npm", lambda: "npm")
    monkeypatch.setattr(steps, "run", note)
    steps.npm_step("run").work()
    assert "--omit=dev" in commands[0]
    assert steps.npm_step("run") is None
    steps.npm_step("test").work()
    assert "--omit=dev" not in commands[2]
    assert steps.npm_step("test") is None
    assert steps.npm_step("run") is None, "it has all that pages load, and more"


def test_bundles_are_made_again_when_their_sources_change(
    steps: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "node_modules").mkdir()
    source, built = tmp_path / "static" / "js" / "app.js", tmp_path / "static" / "built"
    source.write_text("1")

    def build(command: list[str], log: Path, _purpose: str, _env: dict[str, str]) -> None:
        assert command == ["npm", "run", "--silent", "assets"]
        built.mkdir(exist_ok=True)
        (built / "manifest.json").touch()
        log.touch()

    monkeypatch.setattr(steps, "ROOT", tmp_path)
    monkeypatch.setattr(steps, "MODULES", tmp_path / "node_modules")
    monkeypatch.setattr(steps, "BUILT", built)
    monkeypatch.setattr(steps, "ensure_npm", lambda: "npm")
    monkeypatch.setattr(steps, "run", build)
    steps.assets_step().work()
    assert steps.assets_step() is None
    source.write_text("2")
    steps.assets_step().work()
    assert steps.assets_step() is None


def test_a_wrong_word_is_answered_with_the_usage() -> None:
    done = subprocess.run([sys.executable, BOOTSTRAP, "everything"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in only_line(done.stderr)
