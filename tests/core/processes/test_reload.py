"""``kill -HUP`` of gunicorn under load: every page is answered, and every call."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any, Self

from tests.core.processes.programs import Probe, Program, Remote, at_most, eventually, get, gunicorn, is_gone
from wampflask.testing import free_port

Env = dict[str, str]

RELOADS = 2
OURS = "wampflask.gunicorn.Worker"
SLOW_START = "import time; time.sleep(1)\nfrom app_small import *\n"
"""An app that takes a second to load, as real ones do."""


class Pages:
    """Threads that load a page again and again, which calls a procedure."""

    def __init__(self, url: str, threads: int) -> None:
        self._url = url
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._load, name="pages") for _ in range(threads)]
        self.answers: list[tuple[int, Any]] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _load(self) -> None:
        while not self._stopping.is_set():
            try:
                self.answers.append(get(self._url))
            except OSError as error:
                self.answers.append((0, str(error)))


def reload(server: Program, probe: Probe, uri: str) -> list[int]:
    """Reload, and wait until the new workers alone answer; the pids of the old ones."""
    old, providers = [pid for pid in server.children() if not is_gone(pid)], probe.providers(uri)
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: all(is_gone(pid) for pid in old), server.said, timeout=40)
    eventually(lambda: len(probe.providers(uri) - providers) == len(providers), server.said)
    return old


def test_a_reload_loses_no_request_and_no_call(site: Path, env: Env, prefix: str, probe: Probe, tmp_path: Path) -> None:
    (site / "slow.py").write_text(SLOW_START, encoding="utf-8")
    port = free_port()
    command = [*gunicorn(port, kind=OURS)[:-1], "slow:app"]
    with Remote(tmp_path / "caller", env) as caller, Program(command, site, env) as server:
        eventually(lambda: probe.callees(f"{prefix}.pid") == 2, server.said)
        first = server.children()
        caller.ask("connect")
        caller.ask("hammer", "pid", 3)
        with Pages(f"http://127.0.0.1:{port}/pid", 3) as pages:
            gone = [pid for _ in range(RELOADS) for pid in reload(server, probe, f"{prefix}.pid")]
        report = caller.ask("rest")
        assert report["failures"] == []
        assert [answer for answer in pages.answers if answer[0] != 200] == []
        served = {answer[1]["served_by"] for answer in pages.answers}
        assert set(first) < set(gone)
        assert set(gone) & set(report["by"]) == set(gone), "old and new workers answered calls"
        assert len(served - set(first)) >= 2, "new workers answered pages"
        assert caller.leave() == 0
        assert server.end() == 0
        server.assert_quiet()


def test_a_running_handler_is_answered_across_a_reload(site: Path, env: Env, prefix: str, probe: Probe) -> None:
    with Program(gunicorn(free_port(), workers=1, kind=OURS), site, env) as server:
        eventually(lambda: probe.callees(f"{prefix}.slow") == 1, server.said)
        answers: list[Any] = []
        calling = threading.Thread(target=lambda: answers.append(probe.call(f"{prefix}.slow", 1.0)))
        [old] = server.children()
        calling.start()
        server.process.send_signal(signal.SIGHUP)
        calling.join()
        assert answers == [old]
        eventually(lambda: is_gone(old), server.said)


def test_without_a_reload_workers_end_at_once(site: Path, env: Env, prefix: str, probe: Probe) -> None:
    with Program(gunicorn(free_port(), kind=OURS), site, env) as server:
        eventually(lambda: probe.callees(f"{prefix}.pid") == 2, server.said)
        assert server.end(timeout=at_most(5)) == 0
        server.assert_quiet()
