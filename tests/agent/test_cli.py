"""The program on the command line: one sample, what is wrong, and how to run it for good."""

from __future__ import annotations

import configparser
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from wampflask_agent import services, settings
from wampflask_agent.errors import AgentError

from rig.agent import AGENT
from rig.hub import Hub
from tests.agent.conftest import StartAgent
from tests.agent.running import run
from wampflask.testing import free_port

ROOT = AGENT.parents[1]


def test_once_prints_one_sample_and_leaves_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "--once", "--name", "web 1")
    assert done.returncode == 0, done.stderr
    sample = json.loads(done.stdout)
    assert sample["name"] == "web 1"
    assert {"cpu", "memory", "disks", "uptime"} < set(sample)
    assert "failed" not in sample
    assert list(tmp_path.iterdir()) == []


def test_once_knows_the_host_that_enrolled(hub: Hub, start: StartAgent, tmp_path: Path) -> None:
    start()
    name, _ = hub.one()
    assert json.loads(run(tmp_path, "--once").stdout)["host"] == name


def test_check_is_content_with_a_good_set_up(hub: Hub, tmp_path: Path) -> None:
    done = run(tmp_path, "--check", "--server", hub.address, "--token", hub.token())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout
    assert "lets this host join" in done.stdout
    assert "knows this host, which reaches it as 127.0.0.1" in done.stdout
    assert done.stderr == ""


def test_check_disturbs_no_running_agent(hub: Hub, start: StartAgent, tmp_path: Path) -> None:
    start()
    _, host = hub.one()
    done = run(tmp_path, "--check", "--server", hub.address)
    assert done.returncode == 0, done.stdout
    assert ", in use" in done.stdout
    seen = len(host.events)
    assert seen
    assert len(host.hellos) == 1


@pytest.mark.parametrize(
    ("server", "token", "said"),
    [
        (None, None, "WRONG  No hub is set: use --server"),
        ("http://127.0.0.1:{free}", None, "cannot reach http://127.0.0.1:{free}: Connection refused"),
        ("http://hub.invalid", None, "name cannot be resolved"),
        ("{hub}", None, "start with --token, from the hub's page"),
        ("{hub}", "made up", "There is no such token"),
        ("http://127.0.0.1:{router}", None, "is --server right?"),
    ],
)
def test_check_says_what_is_wrong(hub: Hub, tmp_path: Path, server: str | None, token: str | None, said: str) -> None:
    places = {"free": free_port(), "hub": hub.address, "router": hub.node.port}
    arguments = [*(["--server", server.format(**places)] if server else []), *(["--token", token] if token else [])]
    done = run(tmp_path, "--check", *arguments)
    assert done.returncode == 1, done.stdout
    assert said.format(**places) in done.stdout
    assert "Traceback" not in done.stderr
    assert hub.hosts == {}


def test_check_says_that_the_router_cannot_be_reached(hub: Hub, tmp_path: Path) -> None:
    hub.url = f"ws://127.0.0.1:{free_port()}/ws"
    done = run(tmp_path, "--check", "--server", hub.address, "--token", hub.token())
    assert done.returncode == 1
    assert f"WRONG  The router: {hub.url} cannot be reached: Connection refused" in done.stdout


def test_check_says_why_something_else_is_not_the_router(hub: Hub, tmp_path: Path) -> None:
    hub.url = f"ws://127.0.0.1:{hub.port}/ws"
    done = run(tmp_path, "--check", "--server", hub.address, "--token", hub.token())
    assert done.returncode == 1
    assert f"WRONG  The router: {hub.url} closed the connection (" in done.stdout


def test_check_says_why_the_router_refuses(hub: Hub, tmp_path: Path) -> None:
    enrol = hub.enrol
    hub.enrol = lambda body: (enrol(body)[0], {**enrol(body)[1], "ticket": "forged"})  # type: ignore[method-assign]
    done = run(tmp_path, "--check", "--server", hub.address, "--token", hub.token())
    assert done.returncode == 1
    assert "ticket" in done.stdout.splitlines()[-1]


def test_check_says_that_the_folder_cannot_be_used(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    done = run(tmp_path, "--check", "--server", hub.address)
    assert done.returncode == 1
    assert "Choose a folder with --state" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Which hub? Start with --server"),
        (("--server", "ftp://x"), "is not a hub's address"),
        (("--server", "http://user:secret@hub"), "is not a hub's address"),
        (("--server", "http://hub:99999"), "is not a hub's address"),
        (("--server", "hub", "--buffer", "lots"), "--buffer lots is not a size"),
        (("--server", "hub", "--config", "/nowhere/agent.conf"), "There is no file /nowhere/agent.conf"),
    ],
)
def test_a_start_that_cannot_be_ends_with_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("content", ["abc", "", "zz" * 16])
def test_a_damaged_identity_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "host").write_text(content)
    done = run(tmp_path, "--server", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "does not hold 32 hex digits. Remove it" in done.stderr


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("hub", "http://hub"),
        ("hub:8080", "http://hub:8080"),
        ("https://hub/monitor/", "https://hub/monitor"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_server_may_be_written_short(given: str, understood: str) -> None:
    assert settings.normal_server(given) == understood


def test_a_setting_from_nearer_by_wins(tmp_path: Path) -> None:
    file = tmp_path / "agent.conf"
    file.write_text("server = file\nname = file\ntoken = file\n")
    env = {"WAMPFLASK_AGENT_NAME": "env", "WAMPFLASK_AGENT_TOKEN": "env"}
    found = settings.Settings.gather({"config": str(file), "token": "option"}, env)
    assert (found.server, found.name, found.token) == ("http://file", "env", "option")


@pytest.mark.parametrize("line", ["server http://hub", "colour = red", "= x"])
def test_a_wrong_line_of_a_file_is_named(line: str) -> None:
    with pytest.raises(AgentError, match=r"agent\.conf, line 2: write one of server, token"):
        settings.parse_settings(f"# settings\n{line}\n", "agent.conf")


def test_the_unit_can_be_parsed_and_holds_no_secret(tmp_path: Path) -> None:
    done = run(tmp_path, "--systemd", "--server", "http://hub:8080", "--token", "secret")
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(done.stdout)
    service = unit["Service"]
    assert service["ExecStart"].endswith("agent.py")
    assert service["Restart"] == "always"
    assert service["StateDirectory"] == "wampflask-agent"
    assert "secret" not in done.stdout
    assert "WAMPFLASK_AGENT_SERVER=http://hub:8080" in done.stdout


def test_odd_paths_are_quoted_in_the_unit() -> None:
    assert services._quoted('/opt/my "agent" 100%') == '"/opt/my \\"agent\\" 100%%"'


def test_the_compose_file_can_be_parsed_and_holds_no_secret(tmp_path: Path) -> None:
    done = run(tmp_path, "--container", "--server", "http://hub:8080", "--token", "secret", "--name", "a: {b} 'c'")
    assert "secret" not in done.stdout
    service = parse_yaml(done.stdout)["services"]["wampflask-agent"]
    environment = service["environment"]
    assert environment["WAMPFLASK_AGENT_SERVER"] == "http://hub:8080"
    assert environment["WAMPFLASK_AGENT_NAME"] == "a: {b} 'c'"
    assert environment["WAMPFLASK_AGENT_ROOT"] == "/host"
    assert "/:/host:ro,rslave" in service["volumes"]
    assert 'ENTRYPOINT ["python", "/agent.py"]' in service["build"]["dockerfile_inline"]


def parse_yaml(text: str) -> Any:
    """By the router's environment, which has a parser."""
    python = ROOT / ".crossbar" / "venv" / "bin" / "python"
    program = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
    done = subprocess.run([python, "-c", program], input=text, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
