"""`make run`, from the outside: real processes, real ports, a real Ctrl-C."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.run.running import ROOT, Site, obey_permissions, only_line, terminal
from wampflask.router.wire import wait_until

Start = Callable[..., Site]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_starts_answers_and_ctrl_c_leaves_nothing(start: Start) -> None:
    first = start().wait_ready()
    assert f"http://localhost:{first.port}/" in first.output
    password = first.admin_password()
    assert password
    for path in ("/", "/polls/", "/healthz"):
        assert first.get(path)[0] == 200, path
    style = re.search(r'href="(/static/[^"]+\.css[^"]*)"', first.get("/")[1])
    assert style
    assert first.get(style[1])[0] == 200
    assert (first.instance.stat().st_mode & 0o777) == 0o700

    first.wait_output("Joined the hub's router", 30)

    first.ctrl_c()
    first.wait_end()
    assert "Traceback" not in first.output
    assert is_free(first.port)
    assert is_free(first.wamp_port)

    second = start(port=first.port, wamp_port=first.wamp_port).wait_ready()
    assert second.admin_password() is None
    assert password not in second.output

    second.terminate()
    second.wait_end()
    assert "Traceback" not in second.output


def test_two_copies_run_side_by_side(start: Start) -> None:
    sites = [start("one"), start("two")]
    for site in sites:
        site.wait_ready()
    assert [site.get("/polls/")[0] for site in sites] == [200, 200]
    sites[0].ctrl_c()
    sites[0].wait_end()
    assert sites[1].get("/healthz")[0] == 200

    again = start("two")
    assert again.wait_end(seconds=30) != 0
    assert "Another copy of the site runs in" in again.output
    assert sites[1].get("/healthz")[0] == 200


def test_a_program_that_dies_is_started_again(start: Start) -> None:
    """The pages stay up while the router is away, and everything is well again afterwards."""
    site = start().wait_ready()
    router, web = site.of_program("crossbar"), site.of_program("gunicorn")

    router.kill()
    site.wait_output("wampflask: router was ended by signal 9; restarting it")
    assert site.get("/polls/")[0] == 200
    assert wait_until(lambda: not is_free(site.wamp_port), 60, interval=0.1)
    assert wait_until(lambda: site.get("/healthz")[0] == 200, 60, interval=0.1)
    assert web.is_running()

    web.kill()
    site.wait_output("wampflask: web was ended by signal 9; restarting it")
    assert wait_until(lambda: not is_free(site.port) and site.get("/healthz")[0] == 200, 60, interval=0.1)
    site.family()

    site.ctrl_c()
    site.wait_end()
    assert is_free(site.port)
    assert is_free(site.wamp_port)


@pytest.mark.parametrize("variable", ["PORT", "WAMP_PORT"])
def test_a_port_in_use_is_one_line(start: Start, taken_port: int, variable: str) -> None:
    site = start(**{variable.lower(): taken_port})
    assert site.wait_end(seconds=30) != 0
    words = (
        f"wampflask: Port {taken_port} is in use. Stop what uses it, or choose another: {variable}={taken_port + 10}"
    )
    assert words in site.output
    assert only_line(without_make(site.output)) == words
    assert not (site.instance / "wampflask.db").exists(), "nothing is begun before the ports are known to be free"


def test_an_instance_folder_that_cannot_be_written_is_one_line(folder: Path) -> None:
    folder.chmod(0o555)
    done = subprocess.run(
        ["make", "--no-print-directory", "run"],
        cwd=ROOT,
        env={**terminal(), "INSTANCE": str(folder / "instance")},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=obey_permissions,
    )
    assert done.returncode != 0
    line = only_line(without_make(done.stdout + done.stderr))
    assert line.startswith(f"wampflask: Cannot write the instance folder {folder / 'instance'}: Permission denied.")


def without_make(output: str) -> str:
    """The output without make's own last line, which tells the exit code."""
    return "".join(line for line in output.splitlines(keepends=True) if not line.startswith("make: ***"))
