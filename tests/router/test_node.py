"""The node's folder and process: finding Crossbar, starting, killing, restarting, and what is left behind."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from wampflask.permissions import PAGES, Permission
from wampflask.router import node as nodes
from wampflask.router import wire as w
from wampflask.router.node import RouterError, find_crossbar, forget_killed, write_config
from wampflask.router.render import Node
from wampflask.router.wire import Refused, Wire, wait_until
from wampflask.testing import RouterNode
from wampflask.tickets import revoke

pytestmark = pytest.mark.slow


def processes_of(folder: Path) -> list[int]:
    """Processes whose working directory or command names ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                names = [str((entry / "cwd").readlink()), (entry / "cmdline").read_text()]
            except OSError:
                continue
            if any(str(folder) in name for name in names):
                found.append(int(entry.name))
    return found


def test_without_crossbar_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAMPFLASK_CROSSBAR", str(tmp_path / "crossbar"))

    with pytest.raises(RouterError, match=r"not installed: there is no .*wamp router install.*WAMPFLASK_CROSSBAR"):
        find_crossbar()
    with pytest.raises(RouterError, match="not installed"), RouterNode():
        pass


def test_crossbar_is_found_in_the_checkout_and_where_the_variable_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("WAMPFLASK_CROSSBAR", raising=False)
    monkeypatch.chdir(tmp_path)
    found = find_crossbar()
    assert found.name == "crossbar"

    monkeypatch.setenv("WAMPFLASK_CROSSBAR", str(found))
    assert find_crossbar() == found


def test_a_socket_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RouterError, match=r"may have 107.*shorter path"):
        write_config(tmp_path / ("x" * 120), Node())


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """Crossbar makes a socket that everybody could write to."""
    folder = tmp_path / "crossbar"
    folder.mkdir(mode=0o755)
    file = write_config(folder, Node())

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = file.stat().st_mtime_ns
    assert write_config(folder, Node()) == file
    assert file.stat().st_mtime_ns == before


@pytest.fixture
def killable() -> Iterator[RouterNode]:
    router = RouterNode([Permission("demo.uuid", call=PAGES)])
    yield router
    router.close()


def test_killed_and_restarted(killable: RouterNode) -> None:
    """On the same port and socket, whatever the killed one left; what was revoked stays so; nothing stays behind."""
    killable.start()
    first = killable.pid
    stolen = killable.tickets().mint("user", "user:1")
    revoke(killable.folder / "revoked", "user:1", lifetime=60)
    with killable.session("visitor", "visitor:v1"):
        killable.kill9()
        assert wait_until(lambda: not processes_of(killable.node_folder), 10)

    killable.start()

    assert killable.pid != first
    with killable.backend() as backend:
        assert backend.call("wamp.session.count") == 1
    with Wire(killable.ws_url) as wire, pytest.raises(Refused, match="ticket_revoked"):
        wire.join(killable.realm, stolen)
    with pytest.raises(RouterError, match="runs already"):
        killable.start()

    killable.permit([Permission("demo.other", call=PAGES)])
    killable.restart()

    with killable.session("visitor", "visitor:v1") as guest:
        assert guest.ask(w.CALL, "demo.uuid", [])[4] == "wamp.error.not_authorized"
        assert guest.ask(w.CALL, "demo.other", [])[4] == "wamp.error.no_such_procedure"
    folder = killable.folder
    killable.close()
    assert not processes_of(folder)
    assert not folder.exists()


def test_a_worker_that_hangs_does_not_hold_the_port(killable: RouterNode) -> None:
    """It cannot notice that its node is gone; the next start ends it."""
    killable.start()
    process, killable._process = killable._process, None
    assert process is not None
    node = psutil.Process(process.pid)
    (worker,) = node.children()
    worker.suspend()
    node.kill()
    process.wait()
    assert worker.is_running()

    killable.start()

    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_a_start_that_fails_shows_the_log(killable: RouterNode) -> None:
    """Crossbar ends by itself; what it said is in the error."""
    file = killable.node_folder / "config.json"
    file.write_text(file.read_text().replace("plugin.authorizer.Authorizer", "plugin.authorizer.Gone"))

    with pytest.raises(RouterError, match=r"(?s)Crossbar ended at its start.*Gone"):
        killable.start()
    assert not processes_of(killable.folder)


def test_a_port_in_use_is_said_in_one_line() -> None:
    with RouterNode() as other:
        taken = RouterNode(port=other.port)
        try:
            with pytest.raises(RouterError, match=r"cannot listen on port \d+ \(Address already in use\)"):
                taken.start()
            assert not processes_of(taken.folder)
        finally:
            taken.close()


def test_an_authorizer_that_is_gone_is_a_no(killable: RouterNode) -> None:
    """A role whose authorizer nobody has registered may do nothing."""
    file = killable.node_folder / "config.json"
    file.write_text(
        file.read_text().replace('"authorizer": "wampflask.router.authorize"', '"authorizer": "wampflask.router.gone"')
    )

    with killable, killable.session("visitor", "visitor:v1") as guest:
        answers = [
            guest.ask(w.CALL, "demo.uuid", []),
            guest.ask(w.SUBSCRIBE, "demo.uuid"),
            guest.ask(w.PUBLISH, "demo.uuid", options={"acknowledge": True}),
            guest.ask(w.REGISTER, "demo.uuid"),
        ]

    assert {answer[0] for answer in answers} == {w.ERROR}
    assert {answer[4] for answer in answers} <= {"wamp.error.authorization_failed", "wamp.error.not_authorized"}


@contextmanager
def running_program(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python that runs until the block ends."""
    command = [sys.executable, "-c", "print('ready', flush=True); input()", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.communicate(b"\n")


def test_a_killed_nodes_pid_file_is_forgotten(tmp_path: Path) -> None:
    """When its process is gone, or is another program by now; a live Crossbar's is kept."""
    file = tmp_path / "node.pid"
    with running_program() as other:
        for text in ("", "{}", '{"pid": 999999999}', f'{{"pid": {other.pid}}}'):
            file.write_text(text)
            forget_killed(tmp_path)
            assert not file.exists()
    with running_program("crossbar") as other:
        file.write_text(f'{{"pid": {other.pid}}}')
        forget_killed(tmp_path)
        assert file.exists()


def test_a_folder_that_is_not_rendered_cannot_become_a_router(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wampflask.router", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: {tmp_path / 'config.json'} is no rendered configuration. 'flask wamp router render' writes it.\n"
    )


def test_a_rendered_folder_becomes_a_router_without_the_app(killable: RouterNode) -> None:
    """As `make run` starts it again; Ctrl-C and SIGINT end it in order, with exit code 0."""
    with subprocess.Popen([sys.executable, "-m", "wampflask.router", killable.node_folder]) as process:
        try:
            assert wait_until(lambda: process.poll() is not None or killable.joinable(), 60, interval=0.1)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_crossbars_environment_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our Python path would lead it to our packages."""
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("PYTHONWARNINGS", "error")

    assert Path(nodes.environment()["PYTHONPATH"]).name == "lean"
    assert "PYTHONWARNINGS" not in nodes.environment()
