"""What is shipped, tested as it is shipped: sdist, wheel from the sdist, a fresh environment, a page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_BEHIND = (
    ".git",
    ".venv",
    "venv",
    "node_modules",
    "instance",
    "build",
    "__pycache__",
    "*.egg-info",
    ".*_cache",
)
SHIPPED = ("templates", "static")

PROBE = """
import json, sys
from pathlib import Path

import wampflask
from wampflask.apps import create_app

client = create_app().test_client()
paths = json.loads(sys.argv[1])
answers = {}
for path in paths:
    answer = client.get(path)
    answers[path] = (answer.status_code, len(answer.data))
print(json.dumps({"file": wampflask.__file__, "answers": answers}))
"""


def run(command: list[str | Path], cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist made from a copy of the checkout, and a wheel made from that sdist."""
    source = tmp_path_factory.mktemp("source") / "wampflask"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    (source / ".crossbar" / "key.priv").write_text("planted: must never be shipped")
    (source / "static" / "secret.db").write_text("planted: must never be shipped")
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source], cwd=out)
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel in it; other packages are borrowed from this one."""
    home = tmp_path_factory.mktemp("home")
    run([sys.executable, "-m", "venv", home / "venv"], cwd=home)
    python = home / "venv" / "bin" / "python"
    run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], cwd=home)
    ours = next((home / "venv" / "lib").glob("python3*/site-packages"))
    borrowed = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    (ours / "borrowed.pth").write_text(f"{borrowed}\n")
    return python


def files_below(folder: str) -> set[str]:
    return {
        f"wampflask/{file.relative_to(ROOT)}"
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(ROOT).parts)
    }


def test_the_wheel_holds_every_template_and_static_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = set().union(*(files_below(folder) for folder in SHIPPED))
    assert "wampflask/templates/base.html" in expected
    assert any(name.startswith("wampflask/static/vendor/") for name in expected), "make setup fetches these"
    assert expected <= names


def test_the_wheel_holds_every_module_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {str(file.relative_to(ROOT)) for file in (ROOT / "wampflask").rglob("*.py")}
    assert modules <= names
    assert {"wampflask/py.typed", "wampflask/router/requirements.txt"} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"wampflask", "wampflask_agent"}


def test_the_browser_client_is_shipped(dist: Path, wheel: Path) -> None:
    client = {str(file.relative_to(ROOT)) for file in (ROOT / "wampflask" / "browser").rglob("*") if file.is_file()}
    assert "wampflask/browser/dist/wampflask.js" in client
    assert "wampflask/browser/index.d.ts" in client
    assert {"wampflask/browser/dist/table.js", "wampflask/browser/table/index.d.ts"} <= client
    with zipfile.ZipFile(wheel) as archive, tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        assert client <= set(archive.namelist())
        assert client <= {name.partition("/")[2] for name in sdist.getnames()}


def test_nothing_secret_is_shipped(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as archive, tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        names = archive.namelist() + sdist.getnames()
    assert [name for name in names if name.endswith((".priv", ".db", ".sock", ".key")) or "/instance/" in name] == []


def test_the_sdist_holds_what_tests_need(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {"Makefile", "Procfile", "wsgi.py", "package.json", ".ci/run", ".crossbar/config.json"}
    wanted |= {"CHANGES.md", "SECURITY.md", "tests/packaging/test_wheel.py"}
    assert wanted - names == set()


def test_the_agent_is_a_command_that_loads_nothing_of_the_site(installed: Path, tmp_path: Path) -> None:
    command = installed.with_name("wampflask-agent")
    sample = json.loads(run([command, "--once", "--state", tmp_path / "state"], cwd=tmp_path))
    assert sample["memory"]["total"] > 0
    probe = "import sys, wampflask_agent.agent; print('flask' in sys.modules or 'wampflask' in sys.modules)"
    assert run([installed, "-c", probe], cwd=tmp_path).strip() == "False"


def test_pages_and_static_files_come_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    static = sorted(name.removeprefix("wampflask") for name in files_below("static"))
    pages = ["/", "/polls/"]
    (tmp_path / "probe.py").write_text(PROBE)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FLASK", "WAMP"))}
    env |= {"INSTANCE": str(tmp_path / "instance")}
    flask: list[str | Path] = [installed, "-m", "flask", "--app", "wampflask.apps:create_app", "site", "init", "--json"]
    run(flask, cwd=tmp_path, env=env)
    said = json.loads(run([installed, "probe.py", json.dumps(pages + static)], cwd=tmp_path, env=env))
    assert Path(said["file"]).is_relative_to(installed.parents[1])
    wrong = {path: answer for path, answer in said["answers"].items() if answer[0] != 200}
    assert wrong == {}
    assert said["answers"]["/"][1] > 1000
