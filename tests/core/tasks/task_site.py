"""The app of ``app_tasks.py`` in a folder of its own: its server, and its workers."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rig.databases import of_library
from tests.core.processes.programs import BIN, Program, configuration, eventually, get
from wampflask import Permission
from wampflask._live_protocol import WORKER_LOST
from wampflask.fragments import FETCH, TOPICS
from wampflask.permissions import PAGES
from wampflask.testing import RouterNode, free_port

HERE = Path(__file__).parent
PERMISSIONS = (
    Permission("tasks.<!task>", call=PAGES, subscribe=PAGES),
    Permission("tasks.<!task>.cancel", call=PAGES),
    Permission("shop.double", call=PAGES),
    Permission("shop.count", call=PAGES),
    Permission("shop.endless", call=PAGES),
    Permission("page.work.{session}", register=PAGES),
    Permission.of_library(f"{TOPICS}.task_progress.<!key>", subscribe=PAGES),
    Permission.of_library(FETCH, call=PAGES),
    Permission.of_library(WORKER_LOST, subscribe=PAGES),
)
LEASE = "2"


class Site:
    """An app's folder, its server, and its workers."""

    def __init__(self, node: RouterNode, folder: Path, **env: str) -> None:
        self.node = node
        self.folder = folder
        keys = {**configuration(node), **of_library(folder), "WAMP_TASK_LEASE": LEASE}
        self.env = {**keys, "TASKS_FOLDER": str(folder), **env}
        shutil.copy(HERE / "app_tasks.py", folder / "app_tasks.py")
        self.url = f"http://127.0.0.1:{free_port()}"

    @contextlib.contextmanager
    def serve(self) -> Iterator[Program]:
        options = ["--no-control-socket", "--bind", self.url.removeprefix("http://"), "--worker-class", "gthread"]
        command: list[str | Path] = [BIN / "gunicorn", *options, "--threads", "4", "--workers", "2", "app_tasks:app"]
        with Program(command, self.folder, self.env) as program:
            eventually(lambda: self._answers() or program.process.poll() is not None, program.said)
            yield program

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return get(f"{self.url}/wamp/tasks/0/cancel")[0] == 405
        return False

    @contextlib.contextmanager
    def work(self, *options: str) -> Iterator[Program]:
        command: list[str | Path] = [
            BIN / "flask",
            "--app",
            "app_tasks:app",
            "wamp",
            "worker",
            "--grace",
            "1",
            *options,
        ]
        with Program(command, self.folder, self.env) as program:
            eventually(lambda: "Running the tasks" in program.said(), program.said)
            yield program

    def append(self, name: str, kind: str = "encode") -> str:
        status, answer = get(f"{self.url}/append/{kind}/{name}")
        assert status == 200, answer
        return str(answer["id"])

    def status(self, task: str) -> dict[str, Any]:
        found: dict[str, Any] = get(f"{self.url}/status/{task}")[1]
        return found

    def await_state(self, task: str, state: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def reached() -> bool:
            found.update(self.status(task))
            return bool(found["state"] == state)

        eventually(reached, lambda: f"the task is {found}")
        return found

    def await_begun(self, task: str) -> None:
        eventually(lambda: self.status(task)["fraction"] == 0.4, "the task has begun")

    def let_go(self, name: str) -> None:
        (self.folder / f"go-{name}").touch()

    def runs(self, name: str) -> int:
        traces = (self.folder / "traces").read_text(encoding="utf-8").splitlines()
        return sum(line.split()[0] == name for line in traces)
