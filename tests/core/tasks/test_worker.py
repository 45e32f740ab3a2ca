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


@pytest.fixture(scope="module")
def site(node: RouterNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(node, tmp_path_factory.mktemp("site"))
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


def test_a_worker_needs_no_router(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(site.env, "WAMP_URL", f"unix:{site.folder / 'nothing.sock'}")
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
    assert "video: 1 waiting, 0 running, " in listing
    assert f"{task[:8]}… encode           waiting" in listing
    assert task not in listing
    assert f'"id": "{task}"' in flask("tasks", "--json").stdout
    wrong = flask("worker", "audio")
    assert wrong.returncode == 1
    assert "There is no queue audio; declared are: video." in wrong.stderr


def redis(port: int, folder: Path) -> Program:
    """A real Redis."""
    server = shutil.which("redis-server")
    if server is None or find_spec("redis") is None:
        pytest.fail("This test needs Redis and its client: apt-get install redis-server, pip install redis.")
    return Program([server, "--port", str(port), "--bind", "127.0.0.1", "--save", ""], folder / "redis-data", {})


def test_a_queue_in_redis_which_is_away_at_first(node: RouterNode, tmp_path: Path) -> None:
    port = free_port()
    site = Site(node, tmp_path, WAMP_QUEUE=f"redis://127.0.0.1:{port}/0")
    for name in ("early", "first", "second"):
        site.let_go(name)
    with redis(port, tmp_path) as first, site.serve() as server, site.work() as worker:
        first.end()
        early = site.append("early")
        assert "cannot be reached" in server.said()
        with redis(port, tmp_path):
            tasks = [early, site.append("first"), site.append("second")]
            for task in tasks:
                site.await_state(task, "done")
            assert worker.end() == 0
    assert not (tmp_path / "tasks.db").exists()
