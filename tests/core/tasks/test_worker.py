"""Workers as processes, with a site in gunicorn and a real router: ended, killed, cancelled, seen by pages."""

from __future__ import annotations

import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.core.processes.programs import BIN, Listener, Program, eventually, get
from tests.core.tasks.task_site import PERMISSIONS, Site
from wampflask.testing import RouterNode, free_port

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(PERMISSIONS) as running:
        yield running


@pytest.fixture
def site(node: RouterNode, tmp_path: Path) -> Iterator[Site]:
    site = Site(node, tmp_path)
    with site.serve():
        yield site


def test_a_worker_runs_what_a_view_appended_and_may_publish_and_call(site: Site, node: RouterNode) -> None:
    task = site.append("early")  # nobody works yet: it waits
    assert site.status(task)["state"] == "waiting"
    site.let_go("early")
    with Listener(node, "shop.converted") as listener, site.work() as worker:
        assert listener.next(20) == ["early"]
        assert get(f"{site.url}/result/{task}") == (200, {"result": "early, and 42"})
        assert worker.end() == 0
        worker.assert_quiet()


def test_the_end_of_a_worker_puts_back_what_does_not_finish(site: Site) -> None:
    with site.work() as worker:
        task = site.append("long", "once")
        site.await_begun(task)
        assert worker.end() == 0
        worker.assert_quiet()
    assert site.await_state(task, "waiting")["attempt"] == 1
    site.let_go("long")
    with site.work():
        site.await_state(task, "done")
    assert site.runs("long") == 2


def test_a_worker_that_is_killed_loses_nothing(site: Site) -> None:
    with site.work("--threads", "2") as worker:
        again, never = site.append("again"), site.append("never", "once")
        waiting = site.append("waiting")
        for task in (again, never):
            site.await_begun(task)
        worker.process.send_signal(signal.SIGKILL)
        worker.wait()
    for name in ("again", "never", "waiting"):
        site.let_go(name)
    with site.work():
        assert site.await_state(never, "failed")["words"] == "Its worker was lost."
        assert site.await_state(again, "done")["attempt"] == 2
        site.await_state(waiting, "done")
    assert [site.runs(name) for name in ("again", "never", "waiting")] == [2, 1, 1]


def test_a_page_without_javascript_cancels(site: Site) -> None:
    with site.work():
        task = site.append("endless")
        site.await_begun(task)
        request = urllib.request.Request(f"{site.url}/wamp/tasks/{task}/cancel", method="POST")
        with urllib.request.urlopen(request) as answer:
            assert answer.read() == b"Cancelled."
        site.await_state(task, "cancelled")


def test_pages_hear_of_a_task_through_the_router(site: Site, node: RouterNode) -> None:
    task = site.append("seen")
    with node.page() as page:
        page.subscribe(f"tasks.{task}")
        assert page.call(f"tasks.{task}")["state"] == "waiting"
        with site.work():
            eventually(lambda: any(event.args[0]["fraction"] == 0.4 for event in page.heard), "progress is heard")
            site.let_go("seen")
            eventually(lambda: page.heard[-1].args[0]["state"] == "done", lambda: f"the end is heard: {page.heard[-1]}")


def test_a_worker_needs_no_router(site: Site) -> None:
    site.env["WAMP_URL"] = f"unix:{site.folder / 'nothing.sock'}"
    site.let_go("alone")
    with site.work() as worker:
        task = site.append("alone", "once")
        assert site.await_state(task, "failed")["words"] == "An error."  # it publishes
        assert "No session with the router" in worker.said()
        assert worker.end() == 0


def test_the_commands_say_what_is_wrong(site: Site) -> None:
    def flask(*words: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [BIN / "flask", "--app", "app_tasks:app", "wamp", *words]
        env = {**site.env, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(HERE.parents[2])}
        return subprocess.run(
            command, cwd=site.folder, env=env, capture_output=True, text=True, timeout=60, check=False
        )

    task = site.append("listed")
    listing = flask("tasks").stdout
    assert "video: 1 waiting, 0 running, 0 done, 0 failed, 0 cancelled" in listing
    assert f"{task[:8]}… encode           waiting" in listing
    assert task not in listing
    assert f'"id": "{task}"' in flask("tasks", "--json").stdout
    wrong = flask("worker", "audio")
    assert wrong.returncode == 1
    assert "There is no queue audio; declared are: video." in wrong.stderr


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The address of a real Redis."""
    server = shutil.which("redis-server")
    if server is None or find_spec("redis") is None:
        pytest.fail("This test needs Redis and its client: apt-get install redis-server, pip install redis.")
    port = free_port()
    folder = tmp_path / "redis-data"
    command: list[str | Path] = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with Program(command, folder, {}) as program:
        eventually(lambda: "Ready to accept connections" in program.said(), program.said)
        yield f"redis://127.0.0.1:{port}/0"


def test_a_queue_in_redis(node: RouterNode, tmp_path: Path, redis: str) -> None:
    site = Site(node, tmp_path, WAMP_QUEUE=redis)
    for name in ("first", "second"):
        site.let_go(name)
    with site.serve():
        first = site.append("first")
        with site.work() as worker:
            site.await_state(first, "done")
            second = site.append("second")
            site.await_state(second, "done")
            assert worker.end() == 0
            worker.assert_quiet()
    assert not (tmp_path / "tasks.db").exists()


def test_a_redis_that_is_away_loses_nothing(node: RouterNode, tmp_path: Path) -> None:
    port = free_port()
    site = Site(node, tmp_path, WAMP_QUEUE=f"redis://127.0.0.1:{port}/0")
    site.let_go("early")
    with site.serve() as server:
        task = site.append("early")
        assert "cannot be reached" in server.said()
        folder = tmp_path / "redis-data"
        command: list[str | Path] = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        with site.work(), Program(command, folder, {}):
            site.await_state(task, "done")
