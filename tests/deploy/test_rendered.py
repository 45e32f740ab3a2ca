"""What ``flask wamp deploy`` renders: with the app's own parameters, as documented, and as systemd takes it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.deploy.fronts import program
from wampflask.deploy.deployment import Deployment
from wampflask.deploy.procfile import direct, expand
from wampflask.deploy.rendering import systemd

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
APP = """
from flask import Flask
from wampflask import WAMP

wamp = WAMP()

def create_app():
    app = Flask(__name__)
    app.config.update(WAMP_PORT=9001, PORT=9000, WAMP_PUBLIC_URL="wss://shop.example/live", MAX_CONTENT_LENGTH=5000)
    wamp.init_app(app)
    return app
"""


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    """The program behind ``make docs``."""
    spec = importlib.util.spec_from_file_location("deployment", ROOT / ".ci" / "deployment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rendered(writer: ModuleType) -> dict[str, str]:
    files: dict[str, str] = writer.files()
    return files


def test_the_page_and_the_compose_file_are_what_is_rendered(writer: ModuleType, rendered: dict[str, str]) -> None:
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    quoted = {found[2] for found in writer.BLOCK.finditer(text)}
    assert quoted == set(rendered) - {"compose.yaml"}
    assert writer.page(rendered) == text
    assert (ROOT / "compose.yaml").read_text(encoding="utf-8") == rendered["compose.yaml"]


def deploy(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "flask"), "--app", "shop", "wamp", "deploy", *words]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("WAMP", "PORT"))}
    env |= {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an app that knows nothing of the site."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(APP, encoding="utf-8")
    return folder


def test_any_app_has_its_own_parameters_in_the_files(shop: Path) -> None:
    nginx = deploy(shop, "nginx")
    assert nginx.returncode == 0, nginx.stderr
    for line in (
        "server_name shop.example;",
        "proxy_pass http://127.0.0.1:9000;",
        "location = /live {",
        "proxy_pass http://127.0.0.1:9001/ws;",
        "client_max_body_size 5000;",
    ):
        assert line in nginx.stdout
    done = deploy(shop, "systemd", "--user", "shop", "--output", "units")
    assert done.returncode == 0, done.stderr
    web = (shop / "units" / "shop-web.service").read_text(encoding="utf-8")
    assert "User=shop" in web
    assert "/gunicorn --bind 127.0.0.1:9000 " in web
    assert "'shop:create_app()'" in web
    assert "--worker-class wampflask.gunicorn.Worker" in web
    assert f"ReadWritePaths={shop}/instance" in web


def test_without_a_name_the_remedy_is_told(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP.replace("wss://shop.example/live", ""), encoding="utf-8")
    done = deploy(tmp_path, "caddy")
    assert done.returncode == 1
    assert "--name" in done.stderr
    assert "other.example" in deploy(tmp_path, "caddy", "--name", "other.example").stdout


def test_a_procfile_has_a_unit_for_each_line_which_systemd_takes(tmp_path: Path) -> None:
    lines = {
        "router": "exec flask --app shop wamp router run",
        "web": "exec gunicorn --bind ${INTERFACE:-0.0.0.0}:${PORT:-8080} 'shop:app'",
        "worker": "exec python -c 'print(1)' --at 50%",
        "piped": "exec python -V | cat",
    }
    made = Deployment(name="shop", folder=tmp_path, instance=tmp_path, programs=lines, bin=BIN, user="root", port=9000)
    files = systemd(replace(made, settings=str(tmp_path / "env")))
    assert set(files) == {f"shop-{name}.service" for name in lines}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    units = [str(tmp_path / name) for name in files]
    done = subprocess.run([program("systemd-analyze"), "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert "KillSignal=SIGINT" in files["shop-router.service"]
    assert "After=network.target shop-router.service" in files["shop-worker.service"]
    assert "ExecReload=/bin/kill -HUP $MAINPID" in files["shop-web.service"]
    assert "ExecReload" not in files["shop-worker.service"]
    assert "--at 50%%" in files["shop-worker.service"]


def test_a_wrong_unit_would_be_found(tmp_path: Path, rendered: dict[str, str]) -> None:
    """What is checked above can fail: the page's units name programs that are not here."""
    unit = tmp_path / "wampflask-web.service"
    unit.write_text(rendered[unit.name], encoding="utf-8")
    done = subprocess.run([program("systemd-analyze"), "verify", unit], capture_output=True, text=True, check=False)
    assert "/srv/wampflask/app/.venv/bin/gunicorn" in done.stderr


def test_commands_of_a_procfile() -> None:
    assert expand("exec a ${X:-1} $Y ${Z}", {"X": "2", "Y": "3"}) == "a 2 3 "
    assert direct("flask run", Path("/v/bin")) == "/v/bin/flask run"
    assert direct("/usr/bin/env x", Path("/v/bin")) == "/usr/bin/env x"
    assert direct("a && b", Path("/v")) == "/bin/sh -c 'exec /v/a && b'"
