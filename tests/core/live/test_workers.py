"""Live things with real workers, a real router and a real database: in the end every page shows what is there."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.core.processes.programs import BIN, Program, configuration, eventually, get
from wampflask import Permission
from wampflask.live import WORKER_LOST
from wampflask.router import wire
from wampflask.testing import RouterNode, free_port

HERE = Path(__file__).parent
PEOPLE = ("visitor", "user", "admin")
PERMISSIONS = (
    Permission("shop.stock.<item>", call=PEOPLE, subscribe=PEOPLE),
    Permission.of_library(WORKER_LOST, subscribe=PEOPLE),
)
ITEMS = ("tea", "rum", "ale", "gin", "rye")


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(PERMISSIONS) as running:
        yield running


class Shop:
    """A database, and servers of the app on it."""

    def __init__(self, node: RouterNode, folder: Path) -> None:
        self.node = node
        self.folder = folder
        shutil.copy(HERE / "app_shop.py", folder / "app_shop.py")
        with contextlib.closing(self.database()) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE item (name VARCHAR PRIMARY KEY, left INTEGER NOT NULL)")
            database.executemany("INSERT INTO item VALUES (?, 1000)", [(item,) for item in ITEMS])
            database.commit()

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "shop.db", timeout=30)

    def stock(self) -> dict[str, int]:
        with contextlib.closing(self.database()) as database:
            return dict(database.execute("SELECT name, left FROM item").fetchall())

    @contextlib.contextmanager
    def serve(self, workers: int = 1, **env: str) -> Iterator[tuple[Program, str]]:
        """A gunicorn; its program and its address, once it is ready."""
        port = free_port()
        options = ["--no-control-socket", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4"]
        command: list[str | Path] = [BIN / "gunicorn", *options, "--workers", str(workers), "app_shop:app"]
        env = {**configuration(self.node), "SHOP_FOLDER": str(self.folder), **env}
        url = f"http://127.0.0.1:{port}"
        with Program(command, self.folder, env) as program:
            eventually(lambda: is_ready(url), program.said)
            yield program, url


def is_ready(url: str) -> bool:
    with contextlib.suppress(OSError):
        status, answer = get(f"{url}/pid")
        return status == 200 and answer["state"] == "ready"
    return False


class Page:
    """What a page does: it asks after it has subscribed, and shows the state with the greatest number."""

    def __init__(self, node: RouterNode) -> None:
        self.wire = node.session("visitor", "visitor:1")
        self.shown: dict[str, tuple[int, Any]] = {}
        self.losses = 0
        self._topics: dict[int, str] = {}
        for topic in (*(f"shop.stock.{item}" for item in ITEMS), WORKER_LOST):
            answer = self.wire.ask(wire.SUBSCRIBE, topic)
            assert answer[0] == wire.SUBSCRIBED, answer
            self._topics[answer[2]] = topic
        self.ask()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def ask(self) -> None:
        """Ask for every state; events that come in between count, too."""
        asked = {}
        for item in ITEMS:
            number = next(self.wire.requests)
            asked[number] = item
            self.wire.send([wire.CALL, number, {}, f"shop.stock.{item}"])
        while asked:
            message = self.wire.receive(15)
            if message[0] == wire.EVENT:
                self.hear(message)
                continue
            assert message[0] == wire.RESULT, message
            self.show(asked.pop(message[1]), *message[3])

    def hear(self, event: list[Any]) -> None:
        topic = self._topics[event[1]]
        if topic == WORKER_LOST:
            self.losses += 1
        else:
            self.show(topic.rpartition(".")[2], *event[4])

    def show(self, item: str, state: dict[str, int], number: int) -> None:
        if number > self.shown.get(item, (0, None))[0]:
            self.shown[item] = (number, state["left"])

    def hear_until_quiet(self, seconds: float = 0.5) -> dict[str, int]:
        """What it shows when nothing has come for so long."""
        with contextlib.suppress(TimeoutError):
            while True:
                self.hear(self.wire.receive(seconds))
        return {item: left for item, (_, left) in self.shown.items()}


@pytest.fixture
def shop(node: RouterNode, tmp_path: Path) -> Shop:
    return Shop(node, tmp_path)


def test_workers_whose_clocks_differ_end_right(shop: Shop) -> None:
    """Slow readings, two servers two seconds apart, six rushes of commits from both at once."""
    with (
        shop.serve(SHOP_SLOW="0.05") as (_, first),
        shop.serve(SHOP_SLOW="0.05", SHOP_AHEAD="2") as (_, second),
        Page(shop.node) as page,
    ):
        for rush in range(6):
            threads = [threading.Thread(target=get, args=(f"{url}/rush",)) for url in (first, second)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            eventually(lambda: page.hear_until_quiet() == shop.stock(), f"the page stays wrong after rush {rush}")
        assert sum(shop.stock().values()) == 5000 - 6 * 60


def test_a_worker_killed_between_commit_and_publication_leaves_no_page_old(shop: Shop) -> None:
    with shop.serve(workers=2) as (_, url), Page(shop.node) as page:
        for _ in range(3):
            lost = page.losses
            with contextlib.suppress(OSError):
                get(f"{url}/die/tea")
            while page.losses == lost:
                page.hear(page.wire.receive(15))
            eventually(lambda: is_ready(url), "no worker is ready")
            page.ask()
            eventually(lambda: page.hear_until_quiet() == shop.stock(), "the page stays wrong")


def test_workers_that_are_replaced_in_order_make_no_page_ask(shop: Shop) -> None:
    with shop.serve(workers=2) as (program, url), Page(shop.node) as page:
        get(f"{url}/sell/tea")
        old = set(program.children())
        program.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(program.children()) == 2 and not old & set(program.children()), "no new workers")
        eventually(lambda: is_ready(url), "no worker is ready")
        get(f"{url}/sell/tea")
        eventually(lambda: page.hear_until_quiet() == shop.stock(), "the page stays wrong")
        assert page.losses == 0
        assert program.end() == 0
        page.hear_until_quiet()
        assert page.losses == 0


def test_a_router_that_dies_under_commits_loses_none(tmp_path: Path) -> None:
    with RouterNode(PERMISSIONS) as node:
        shop = Shop(node, tmp_path)
        with shop.serve(workers=2) as (_, url):
            with Page(node) as page:
                get(f"{url}/sell/tea")
                eventually(lambda: page.hear_until_quiet() == shop.stock(), "the page stays wrong")
            rushing = threading.Thread(target=lambda: [get(f"{url}/rush") for _ in range(4)])
            rushing.start()
            node.kill9()
            node.start()
            eventually(lambda: is_ready(url), "the workers did not come back")
            with Page(node) as page:
                rushing.join()
                eventually(lambda: page.hear_until_quiet() == shop.stock(), "the page stays wrong")
