"""The parts of ``flask site serve``, one by one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from wampflask.apps.serve import (
    Place,
    ServeError,
    check_port,
    hold_instance,
    is_listening,
    is_ready,
    welcome,
    without_agent,
)
from wampflask.deploy.procfile import commands_of
from wampflask.testing import free_port

ROOT = Path(__file__).resolve().parents[2]


def test_empty_variables_mean_the_defaults(tmp_path: Path) -> None:
    place = Place.from_environment({"PORT": "", "INSTANCE": ""}, tmp_path)
    assert place == Place(8080, 8081, tmp_path / "instance")


def test_everything_at_a_place_is_told_its_ports_and_folder(tmp_path: Path) -> None:
    place = Place.from_environment({"PORT": "9000", "WAMP_PORT": "9001", "INSTANCE": "other"}, tmp_path)
    env = place.environment({"PATH": "/bin", "HOME": "/root"})
    assert env["WAMP_INTERFACE"] == "0.0.0.0", "phones can join"
    assert (
        Place.from_environment({"WAMP_INTERFACE": "127.0.0.1"}, tmp_path).environment({})["WAMP_INTERFACE"]
        == "127.0.0.1"
    )
    assert (env["PORT"], env["WAMP_PORT"], env["INSTANCE"]) == ("9000", "9001", str(tmp_path / "other"))
    assert env["PATH"].endswith(":/bin")
    assert env["HOME"] == "/root"


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1", "8080 ", "٣"])
@pytest.mark.parametrize("name", ["PORT", "WAMP_PORT"])
def test_what_is_no_port_is_told_by_name(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ServeError, match=f"^{name}={value} is not a port number"):
        Place.from_environment({name: value}, tmp_path)


def test_both_ports_cannot_be_the_same(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="are both 8081"):
        Place.from_environment({"PORT": "8081"}, tmp_path)


def test_a_port_is_taken_or_free() -> None:
    port = free_port()
    check_port("PORT", port)
    with socket.create_server(("127.0.0.1", port)):
        assert is_listening(port)
        with pytest.raises(ServeError, match=rf"^Port {port} is in use.*: PORT={port + 10}$"):
            check_port("PORT", port)
    assert not is_listening(port)
    assert not is_ready(port)


def test_an_instance_folder_has_one_site_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "instance"
    with (
        hold_instance(folder),
        pytest.raises(ServeError, match="Another copy"),
        hold_instance(folder),
    ):
        pytest.fail("two sites in one folder")
    with hold_instance(folder):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_an_instance_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "instance").touch()
    with (
        pytest.raises(ServeError, match="Cannot write the instance folder"),
        hold_instance(tmp_path / "instance"),
    ):
        pytest.fail("a file is no folder")


def test_the_procfile_names_the_router_first() -> None:
    commands = commands_of(ROOT / "Procfile")
    assert list(commands) == ["router", "web", "worker", "agent"]
    assert all(command.startswith("exec ") for command in commands.values())
    assert "--no-control-socket" in commands["web"]


def test_the_local_agent_is_switched_off_by_its_key() -> None:
    commands = {"router": "a", "web": "b", "agent": "c"}
    assert list(without_agent(commands, {})) == ["router", "web", "agent"]
    assert list(without_agent(commands, {"WAMPFLASK_LOCAL_AGENT": "0"})) == ["router", "web"]
    with pytest.raises(ServeError, match="must be 1 or 0"):
        without_agent(commands, {"WAMPFLASK_LOCAL_AGENT": "maybe"})


def test_the_password_is_shown_only_when_it_is_new(tmp_path: Path) -> None:
    place = Place(8080, 8081, tmp_path)
    assert "with the password abc" in welcome(place, {"email": "a@b", "password": "abc"})
    assert "The admin is a@b" in welcome(place, {"email": "a@b", "password": None})


def test_a_wrong_value_in_the_configuration_is_one_line(tmp_path: Path) -> None:
    env = {**os.environ, "INSTANCE": str(tmp_path), "PORT": str(free_port()), "WAMP_PORT": str(free_port())}
    done = subprocess.run(
        [sys.executable, "-m", "wampflask.apps.serve"],
        cwd=ROOT,
        env={**env, "WAMP_CALL_TIMEOUT": "soon"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "wampflask: WAMP_CALL_TIMEOUT='soon' is not a number.\n"
