"""What is shipped, tested as it is shipped: sdists, wheels from the sdists, fresh environments, pages.

What a wheel must hold is read from the disk, so that no new module, template or script can be forgotten.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = {"wampflask": ".", "wampflask_site": "packages/site", "wampflask_agent": "packages/agent"}
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
LIBRARY_MAX = 450_000
"""Bytes of the library's wheel."""

SITE_PROBE = """
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

LIBRARY_PROBE = """
import json, sys
from importlib.util import find_spec
from pathlib import Path

import flask
import wampflask
from wampflask.testing import in_memory

app = flask.Flask(__name__, instance_path=str(Path("instance").absolute()))
app.secret_key = "of a test, and long enough for it"
wamp = wampflask.WAMP(app)
wamp.register("shop.add", allow="everyone")(lambda a, b: a + b)
app.add_url_rule("/", "home", lambda: flask.render_template_string("{{ wamp_head() }}"))
head = app.test_client().get("/").text
script = app.test_client().get(head.rpartition('src="')[2].partition('"')[0])
if __name__ == "__main__":
    with in_memory(app) as realm:
        called = realm.page().call("shop.add", 1, 2)
    print(json.dumps({
        "file": wampflask.__file__,
        "script": [script.status_code, len(script.data)],
        "called": called,
        "found": [name for name in sys.argv[1:] if find_spec(name)],
    }))
"""


def run(command: list[str | Path], cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdists made from a copy of the checkout, and the wheels made from those."""
    source = tmp_path_factory.mktemp("source") / "wampflask"
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    (source / ".crossbar" / "key.priv").write_text("planted: must never be shipped")
    (source / "static" / "secret.db").write_text("planted: must never be shipped")
    out = tmp_path_factory.mktemp("dist")
    for folder in PROJECTS.values():
        run([sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source / folder], cwd=out)
    return out


def wheel_of(dist: Path, name: str) -> Path:
    return next(dist.glob(f"{name}-*.whl"))


def shipped(dist: Path, name: str) -> set[str]:
    """The files that a wheel installs, without its metadata."""
    with zipfile.ZipFile(wheel_of(dist, name)) as archive:
        return {path for path in archive.namelist() if ".dist-info/" not in path}


def metadata(dist: Path, name: str) -> Message:
    with zipfile.ZipFile(wheel_of(dist, name)) as archive:
        return message_from_bytes(next(archive.read(path) for path in archive.namelist() if path.endswith("/METADATA")))


def needs(dist: Path, name: str) -> dict[str, Requirement]:
    """What a wheel requires always, by name."""
    found = [Requirement(line) for line in metadata(dist, name).get_all("Requires-Dist", [])]
    return {requirement.name: requirement for requirement in found if requirement.marker is None}


def files_below(folder: str) -> set[str]:
    """Files of the checkout, but not what running it leaves there."""
    below = [
        Path(place, name).relative_to(ROOT)
        for place, _, names in os.walk(ROOT / folder, followlinks=True)
        for name in names
    ]
    return {
        str(file)
        for file in below
        if not any(part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info") for part in file.parts)
    }


def environment(home: Path, *wheels: Path) -> Path:
    """The Python of a fresh environment with these wheels in it, and nothing else."""
    run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], cwd=home)
    python = home / "venv" / "bin" / "python"
    pip(python, "install", "--no-deps", "--no-index", "--no-compile", *wheels)
    return python


def pip(python: Path, command: str, *arguments: str | Path) -> None:
    program: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    run([*program, command, "--quiet", *arguments], cwd=python.parent)


def packages_of(python: Path) -> Path:
    return next((python.parents[1] / "lib").glob("python3*/site-packages"))


def borrow(python: Path, requirements: list[Requirement]) -> None:
    """Link what these requirements bring along from the tests' environment into another one, and nothing else."""
    queue, seen = list(requirements), set()
    while queue:
        requirement = queue.pop()
        if (key := (requirement.name, *requirement.extras)) in seen:
            continue
        seen.add(key)
        found = distribution(requirement.name)
        extras = ["", *requirement.extras]
        wanted = [Requirement(line) for line in found.requires or []]
        queue += [need for need in wanted if not need.marker or any(need.marker.evaluate({"extra": e}) for e in extras)]
        for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            link = packages_of(python) / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))


@pytest.fixture(scope="module")
def site(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with all three; other packages are those of the tests' environment."""
    python = environment(tmp_path_factory.mktemp("site"), *(wheel_of(dist, name) for name in PROJECTS))
    borrowed = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    (packages_of(python) / "borrowed.pth").write_text(f"{borrowed}\n")
    return python


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FLASK", "WAMP"))}
    return kept | more


def test_the_library_ships_all_that_is_its_own_and_nothing_of_the_site(dist: Path) -> None:
    of_site = files_below("wampflask/apps")
    assert "wampflask/apps/polls/__init__.py" in of_site
    assert shipped(dist, "wampflask") == files_below("wampflask") - of_site
    client = {"wampflask/browser/dist/wampflask.js", "wampflask/browser/dist/table.js", "wampflask/browser/index.d.ts"}
    assert {"wampflask/py.typed", "wampflask/router/lean/sitecustomize.py", *client} <= shipped(dist, "wampflask")
    assert wheel_of(dist, "wampflask").stat().st_size < LIBRARY_MAX


def test_the_site_ships_all_its_modules_templates_and_static_files(dist: Path) -> None:
    beside = {f"wampflask/{file}" for file in files_below("templates") | files_below("static") | {"Procfile"}}
    assert "wampflask/templates/base.html" in beside
    assert any(file.startswith("wampflask/static/vendor/") for file in beside), "make setup fetches these"
    assert shipped(dist, "wampflask_site") == files_below("wampflask/apps") | beside


def test_the_agent_ships_its_package(dist: Path) -> None:
    inside = {file.removeprefix("agent/") for file in files_below("agent/wampflask_agent")}
    assert {"wampflask_agent/__main__.py", "wampflask_agent/requirements.txt"} < inside
    assert shipped(dist, "wampflask_agent") == inside


def test_the_site_needs_the_library_of_its_own_version(dist: Path) -> None:
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    assert [metadata(dist, name)["Version"] for name in ("wampflask", "wampflask_site")] == [version, version]
    client = json.loads((ROOT / "wampflask" / "browser" / "package.json").read_text(encoding="utf-8"))
    assert client["version"] == version, "npm takes it from there"
    assert str(needs(dist, "wampflask_site")["wampflask"].specifier) == f"=={version}"
    ranges = (ROOT / "packages" / "site" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert needs(dist, "wampflask_site").keys() == {"wampflask", *(Requirement(line).name for line in ranges)}


def test_the_agent_needs_what_its_package_lists(dist: Path) -> None:
    listed = (ROOT / "agent" / "wampflask_agent" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert list(map(str, needs(dist, "wampflask_agent").values())) == [str(Requirement(line)) for line in listed]
    lint = tomllib.loads((ROOT / "agent" / "ruff.toml").read_text(encoding="utf-8"))
    assert metadata(dist, "wampflask_agent")["Requires-Python"] == ">=3.9"
    assert lint["target-version"] == "py39"


def test_what_tests_and_measures_is_not_shipped(dist: Path) -> None:
    for file in dist.glob("*.tar.gz"):
        with tarfile.open(file) as sdist:
            tops = {Path(name).parts[1] for name in sdist.getnames() if "/" in name}
        assert tops & {"bench", "rig", "tests"} == set(), file.name


def test_nothing_secret_is_shipped(dist: Path) -> None:
    names = [name for project in PROJECTS for name in shipped(dist, project)]
    for file in dist.glob("*.tar.gz"):
        with tarfile.open(file) as sdist:
            names += sdist.getnames()
    assert any(name.endswith("wampflask/static/css/base.css") for name in names)
    assert [name for name in names if name.endswith((".priv", ".db", ".sock", ".key")) or "/instance/" in name] == []


def test_the_library_works_without_the_packages_of_the_site(dist: Path, tmp_path: Path) -> None:
    python = environment(tmp_path, wheel_of(dist, "wampflask"))
    borrow(python, list(needs(dist, "wampflask").values()))
    (tmp_path / "probe.py").write_text(LIBRARY_PROBE)
    absent = ["wampflask.apps", "wampflask_agent", "sqlalchemy", "flask_login", "psutil", "pytest"]
    said = json.loads(run([python, "probe.py", *absent], cwd=tmp_path, env=clean_environment()))
    assert Path(said["file"]).is_relative_to(python.parents[1])
    assert said["script"][0] == 200
    assert said["script"][1] > 1000
    assert (said["called"], said["found"]) == (3, [])
    run([python, "-m", "wampflask", "new", "notes"], cwd=tmp_path, env=clean_environment())
    assert (tmp_path / "notes" / "templates" / "home.html").is_file()
    flask: list[str | Path] = [python, "-m", "flask", "--app", "probe", "wamp"]
    run([*flask, "router", "render"], cwd=tmp_path, env=clean_environment())
    assert (tmp_path / "instance" / "crossbar" / "config.json").exists()
    done = subprocess.run(
        [*flask, "router", "run"], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"there is no {tmp_path}/.crossbar/venv/bin/crossbar. 'flask wamp router install'" in done.stderr


def test_the_site_is_uninstalled_without_harm_to_the_library(dist: Path, tmp_path: Path) -> None:
    python = environment(tmp_path, wheel_of(dist, "wampflask"), wheel_of(dist, "wampflask_site"))
    package = packages_of(python) / "wampflask"
    pip(python, "uninstall", "--yes", "wampflask-site")
    left = {f"wampflask/{file.relative_to(package)}" for file in package.rglob("*") if file.is_file()}
    assert left == shipped(dist, "wampflask")


def test_the_agent_is_a_command_that_loads_nothing_of_the_site(site: Path, tmp_path: Path) -> None:
    command = site.with_name("wampflask-agent")
    sample = json.loads(run([command, "--once", "--state", tmp_path / "state"], cwd=tmp_path))
    assert sample["memory"]["total"] > 0
    probe = "import sys, wampflask_agent.running; print('flask' in sys.modules or 'wampflask' in sys.modules)"
    assert run([site, "-c", probe], cwd=tmp_path).strip() == "False"


def test_an_installed_site_serves_the_agent_as_one_file_and_runs_it(site: Path, tmp_path: Path) -> None:
    probe = "from wampflask.apps.monitor.agent_file import archive, program; "
    probe += "open('agent.py', 'wb').write(archive()); print(program())"
    beside = run([site, "-c", probe], cwd=tmp_path, env=clean_environment()).strip()
    for place in ("agent.py", beside):
        assert json.loads(run([site, place, "--once"], cwd=tmp_path, env=clean_environment()))["memory"]["total"] > 0


def test_pages_and_static_files_come_from_the_wheels(site: Path, tmp_path: Path) -> None:
    static = sorted(f"/{name}" for name in files_below("static"))
    pages = ["/", "/polls/", "/agent.py"]
    (tmp_path / "probe.py").write_text(SITE_PROBE)
    env = clean_environment(INSTANCE=str(tmp_path / "instance"))
    run([site.with_name("wampflask-site"), "site", "init", "--json"], cwd=tmp_path, env=env)
    said = json.loads(run([site, "probe.py", json.dumps(pages + static)], cwd=tmp_path, env=env))
    assert Path(said["file"]).is_relative_to(site.parents[1])
    wrong = {path: answer for path, answer in said["answers"].items() if answer[0] != 200}
    assert wrong == {}
    assert said["answers"]["/"][1] > 1000
