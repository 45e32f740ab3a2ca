"""Live things with real workers, a real router and a real database: in the end every page shows what is there."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from tests.core.processes.programs import BIN, Probe, Program, configuration, eventually, get, raw_call
from wampflask import Permission
from wampflask._live_protocol import WORKER_LOST
from wampflask.fragments import FETCH, TOPICS
from wampflask.plugin.roster import CHANGED as PEOPLE_CHANGED
from wampflask.router import wire
from wampflask.router.wire import Refused, Wire
from wampflask.testing import RouterNode, free_port

HERE = Path(__file__).parent
PEOPLE = ("visitor", "user", "admin")
PERMISSIONS = (
    Permission("shop.stock.<item>", call=PEOPLE, subscribe=PEOPLE),
    Permission("shop.till", call=PEOPLE, subscribe=PEOPLE),
    Permission("shop.echo.<item>", call=PEOPLE, subscribe=PEOPLE),
    Permission("shop.wait", call=PEOPLE),
    Permission("shop.floor.here", subscribe=PEOPLE),
    Permission.of_library(f"{TOPICS}.card.<!key>", subscribe=PEOPLE),
    Permission.of_library(f"{TOPICS}.ledger.<!key>", subscribe=("admin",)),
    Permission.of_library(FETCH, call=PEOPLE),
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

    def await_truth(self, page: Page) -> None:
        """Wait until a page shows what is in the database."""
        eventually(
            lambda: page.hear_until_quiet().items() == {(item, self.stock()[item]) for item in page.items},
            lambda: f"the page stays wrong: {page.shown}, but {self.stock()}",
        )

    @contextlib.contextmanager
    def serve(self, workers: int = 1, **env: str) -> Iterator[tuple[Program, str]]:
        """A gunicorn; its program and its address, once it is ready."""
        port = free_port()
        options = ["--no-control-socket", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4"]
        command: list[str | Path] = [BIN / "gunicorn", *options, "--workers", str(workers), "app_shop:app"]
        env = {**configuration(self.node), "SHOP_FOLDER": str(self.folder), **env}
        url = f"http://127.0.0.1:{port}"
        with Program(command, self.folder, env) as program:
            eventually(lambda: program.process.poll() is not None or is_ready(url), program.said)
            assert program.process.poll() is None, program.said()
            yield program, url


def workers(url: str, count: int) -> dict[int, Any]:
    """What each of so many workers says of itself, by its pid."""
    found: dict[int, Any] = {}
    for _ in range(200):
        _, answer = get(f"{url}/pid")
        found[answer["pid"]] = answer
        if len(found) == count:
            return found
    raise AssertionError(f"{len(found)} of {count} workers answered")


def reads(url: str, count: int) -> int:
    """How often live things were read by so many workers."""
    return sum(answer["counters"].get("live_read", 0) for answer in workers(url, count).values())


def is_ready(url: str) -> bool:
    with contextlib.suppress(OSError):
        status, answer = get(f"{url}/pid")
        return status == 200 and answer["state"] == "ready"
    return False


class Page:
    """What a page does: it asks after it has subscribed, and shows the state with the greatest number."""

    def __init__(self, node: RouterNode, items: Sequence[str] = ITEMS) -> None:
        self.wire = node.session("visitor", "visitor:1")
        self.items = items
        self.shown: dict[str, tuple[int, Any]] = {}
        self.heard: list[tuple[int, Any]] = []
        self.losses = 0
        self._topics: dict[int, str] = {}
        for topic in (*(f"shop.stock.{item}" for item in items), WORKER_LOST):
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
        self.await_answers(self.begin_to_ask())

    def begin_to_ask(self) -> dict[int, str]:
        """What is asked for, by the number of the request."""
        asked = {next(self.wire.requests): item for item in self.items}
        self.wire.send_many([[wire.CALL, number, {}, f"shop.stock.{item}"] for number, item in asked.items()])
        return asked

    def await_answers(self, asked: dict[int, str]) -> None:
        """Show them; what comes in between, too."""
        while asked:
            message = self.wire.receive(60)
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
            state, number = event[4]
            self.heard.append((number, state))
            self.show(topic.rpartition(".")[2], state, number)

    def show(self, item: str, state: dict[str, int], number: int) -> None:
        if number > self.shown.get(item, (0, None))[0]:
            self.shown[item] = (number, state["left"])

    def hear_until(self, condition: Callable[[], bool], what: str) -> None:
        """Listen meanwhile: the router closes connections that do not answer its pings."""
        eventually(lambda: self.hear_until_quiet(0.05) and condition(), what)

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
        for kills in range(1, 6):
            with contextlib.suppress(OSError):
                get(f"{url}/die/tea")
            page.hear_until(lambda: page.losses == kills, "nobody says that a worker was lost")  # noqa: B023 - in this turn
            page.hear_until(lambda: is_ready(url), "no worker is ready")
            page.ask()
            shop.await_truth(page)
        assert shop.stock()["tea"] == 1000 - kills


def test_the_first_change_of_a_worker_may_be_its_last(shop: Shop) -> None:
    """It cannot first tell the router, which takes longer than a commit: it has when it joined."""
    with shop.serve() as (program, url), Page(shop.node) as page:
        eventually(lambda: is_ready(url), "the worker is not ready")
        (worker,) = program.children()
        os.kill(worker, signal.SIGKILL)
        page.hear_until(lambda: page.losses == 1, "nobody says that a worker was lost")


def test_workers_that_are_replaced_in_order_make_no_page_ask(shop: Shop) -> None:
    with shop.serve(workers=2) as (program, url), Page(shop.node) as page:
        get(f"{url}/sell/tea")
        old = set(program.children())
        program.process.send_signal(signal.SIGHUP)
        page.hear_until(lambda: len(program.children()) == 2 and not old & set(program.children()), "no new workers")
        page.hear_until(lambda: is_ready(url), "no worker is ready")
        assert get(f"{url}/sell/tea")[0] == 200
        eventually(
            lambda: page.hear_until_quiet() == shop.stock(),
            lambda: f"{page.shown}, {shop.stock()}, {page.losses} lost: {program.said()}",
        )
        assert page.losses == 0
        assert program.end() == 0
        page.hear_until_quiet()
        assert page.losses == 0


def test_what_a_worker_changes_while_it_stops_is_told(shop: Shop) -> None:
    """A handler that is still running when the worker is to end commits: the testament is taken back after that."""
    with shop.serve() as (program, _), Page(shop.node) as page, shop.node.session("user", "user:1") as caller:
        raw_call(caller, "shop.wait", "tea")
        eventually((shop.folder / "waiting-tea").exists, "the handler does not run")
        program.process.send_signal(signal.SIGTERM)
        with Probe(shop.node) as probe:
            eventually(lambda: not probe.callees("shop.wait"), "the worker does not stop")
        (shop.folder / "go").touch()
        assert program.wait() == 0
        assert shop.stock()["tea"] == 999
        shop.await_truth(page)


def test_what_nobody_hears_is_not_read_and_who_comes_meanwhile_is_right(shop: Shop) -> None:
    with shop.serve(workers=2) as (_, url):
        workers(url, 2)
        get(f"{url}/rush?count=1000", timeout=120)
        assert reads(url, 2) == 0
        rushing = threading.Thread(target=get, args=(f"{url}/rush?count=300",), kwargs={"timeout": 120})
        rushing.start()
        before = shop.stock()
        eventually(lambda: shop.stock() != before, "nothing is sold")
        with Page(shop.node) as page:
            rushing.join()
            shop.await_truth(page)


def test_pages_go_on_while_every_handler_sleeps_and_one_thread_answers_all(shop: Shop) -> None:
    with (
        shop.serve(WAMP_HANDLER_THREADS="2", WAMP_HANDLER_QUEUE="100", WAMP_LIVE_THREADS="1") as (_, url),
        Page(shop.node) as page,
        shop.node.session("user", "user:1") as caller,
    ):
        for _ in range(4):
            raw_call(caller, "shop.wait", "rum")
        eventually(lambda: get(f"{url}/pid")[1]["counters"]["waiting_handlers"] == 2, "the handlers do not wait")
        get(f"{url}/sell/tea")
        shop.await_truth(page)
        element = fragments(url)["card"]
        with contextlib.ExitStack() as stack:
            askers = [stack.enter_context(shop.node.session("visitor", f"visitor:{nr}")) for nr in range(8)]
            requests = [raw_call(asker, FETCH, [[*element, ""]] * 4) for asker in askers]
            for asker, request in zip(askers, requests, strict=True):
                answer = asker.receive(15)
                assert answer[:2] == [wire.RESULT, request], answer
                assert [state[1] for state, _ in answer[3][0]] == ["<b>tea: 999</b>"] * 4
        (shop.folder / "go").touch()


def fragments(url: str) -> dict[str, list[Any]]:
    """What a page asks with for each fragment, but for what it has."""
    found = re.findall(r'name="(.*?)" args="(.*?)" key="(.*?)"', get(f"{url}/fragments")[1])
    return {name: [name, json.loads(html.unescape(args)), key] for name, args, key in found}


def test_a_visitor_gets_nothing_of_what_others_may_see(shop: Shop) -> None:
    """Raw frames: what is sent to an admin, what is asked for with another's keys, and patterns over everybody's."""
    with shop.serve() as (_, url), shop.node.session("admin", "user:1") as admin, visitor(shop.node) as page:
        shown = fragments(url)
        card, ledger = (f"{TOPICS}.{name}.{shown[name][2]}" for name in ("card", "ledger"))
        heard: list[str] = []
        for topic in ("shop.till", card, ledger):
            assert admin.ask(wire.SUBSCRIBE, topic)[0] == wire.SUBSCRIBED
        for topic in ("shop.till", card):
            assert page.ask(wire.SUBSCRIBE, topic)[0] == wire.SUBSCRIBED
        for match, pattern in (
            ("exact", ledger),
            ("wildcard", f"{TOPICS}.card."),
            ("wildcard", f"{TOPICS}.."),
            ("prefix", TOPICS),
            ("prefix", "shop"),
            ("wildcard", ".till"),
        ):
            answer = page.ask(wire.SUBSCRIBE, pattern, options={"match": match})
            assert answer[0] == wire.ERROR, (pattern, answer)
        for procedure in ("wampflask.live.stamp", "wampflask.live.roster", "wampflask.live.people_changed"):
            with pytest.raises(Refused, match="not_authorized"):
                page.call(procedure, [])
        for topic in (card, WORKER_LOST):
            assert (
                page.ask(wire.PUBLISH, topic, [["d", "forged"], 2**52], options={"acknowledge": True})[0] == wire.ERROR
            )
        get(f"{url}/sell/tea")
        hear(admin, lambda text: "the takings of today" in text and "<b>tea: 999</b>" in text)
        hear(page, lambda text: "nothing to see" in text and "<b>tea: 999</b>" in text, heard)
        assert page.call("shop.till") == {"for": "nothing to see"}
        assert admin.call("shop.till") == {"for": "the takings of today"}
        name, args, key = shown["card"]
        forged = [
            [name, {"item": "rum"}, key, ""],
            [name, {**args, "more": "x"}, key, ""],
            [name, args, key[::-1], ""],
            [*shown["ledger"], ""],
            ["ledger", args, key, ""],
            [name, {"item": "x" * 60_000}, key, ""],
            [[], {}, 0, {}],
            [name, args, key, ""],
        ]
        answers = page.call(FETCH, forged)
        assert answers[:-1] == [0] * 7
        assert answers[-1][0][1] == "<b>tea: 999</b>"
        assert admin.call(FETCH, [[*shown["ledger"], ""]])[0][0][1].endswith("the takings of today")
        hear(page, lambda _: True, heard)
        assert "takings" not in "".join(heard)


def test_questions_without_end_leave_nothing_behind(shop: Shop) -> None:
    with shop.serve() as (_, url):
        before = workers(url, 1)
        (pid,) = before
        with visitor(shop.node) as page, pytest.raises((wire.WireError, TimeoutError)):  # too long for the router
            page.call(FETCH, [["card", {"item": "x" * 1_000_000}, "0" * 32, ""]])
        with shop.node.backend() as many:

            def ask(begin: int, end: int) -> None:
                for number in range(begin, end):
                    raw_call(many, f"shop.echo.{number}")
                for _ in range(begin, end):
                    assert many.receive(15)[0] in (wire.RESULT, wire.ERROR)

            ask(0, 500)
            memory = psutil.Process(pid).memory_info().rss
            for begin in range(500, 5000, 250):
                ask(begin, begin + 250)
        eventually(lambda: get(f"{url}/pid")[1]["held"] == 0, "the engine keeps what nobody asks for")
        assert psutil.Process(pid).memory_info().rss < memory + 8_000_000
        assert workers(url, 1)[pid]["session"] == before[pid]["session"]


def visitor(node: RouterNode) -> Wire:
    return node.session("visitor", "visitor:1")


def hear(session: Wire, is_enough: Callable[[str], bool], heard: list[str] | None = None) -> None:
    """Receive until this is enough of what was received."""
    heard = [] if heard is None else heard

    def enough() -> bool:
        with contextlib.suppress(TimeoutError):
            while True:
                heard.append(json.dumps(session.receive(0.2)))
        return is_enough("".join(heard))

    eventually(enough, lambda: f"not heard, only {heard}")


def test_who_came_is_told_to_another_worker_when_one_dies_over_it(node: RouterNode) -> None:
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(node.backend()) for _ in range(2))

        def told(worker: Wire) -> tuple[int, Any]:
            message = worker.receive(15)
            assert message[0] == wire.INVOCATION, message
            return message[1], message[4][0]

        def serve(worker: Wire) -> None:
            assert worker.ask(wire.REGISTER, PEOPLE_CHANGED, options={"invoke": "roundrobin"})[0] == wire.REGISTERED

        serve(first)
        ann = stack.enter_context(node.session("user", "user:1"))
        assert ann.ask(wire.SUBSCRIBE, "shop.floor.here")[0] == wire.SUBSCRIBED
        assert told(first)[1] == [["shop.floor.here", ["user:1"], []]]
        bob = stack.enter_context(node.session("user", "user:2"))  # while that worker has not answered
        assert bob.ask(wire.SUBSCRIBE, "shop.floor.here")[0] == wire.SUBSCRIBED
        eventually(lambda: len(second.call("wampflask.live.roster", "shop.floor.here")) == 2, "he is not seen")
        serve(second)
        first.close()
        request, news = told(second)
        assert news == [["shop.floor.here", ["user:1", "user:2"], []]]
        second.send([wire.YIELD, request, {}, []])
        ann.close()
        assert told(second)[1] == [["shop.floor.here", [], ["user:1"]]], "and what was answered is not told again"


def test_a_router_that_dies_under_commits_loses_none(tmp_path: Path) -> None:
    """Three times; the second time a worker is killed over a commit, too, while nobody can be told of it."""
    with RouterNode(PERMISSIONS) as node:
        shop = Shop(node, tmp_path)
        with shop.serve(workers=2) as (_, url):

            def rush() -> None:
                with contextlib.suppress(OSError):
                    for _ in range(2):
                        get(f"{url}/rush")

            greatest = 0
            for turn in range(3):
                with Page(node) as page:
                    get(f"{url}/sell/tea")
                    shop.await_truth(page)
                    assert min(number for number, _ in page.heard) > greatest, "an event has a number of the old router"
                    greatest = max(number for number, _ in page.shown.values())
                rushing = threading.Thread(target=rush)
                rushing.start()
                node.kill9()
                if turn == 1:
                    with contextlib.suppress(OSError):
                        get(f"{url}/die/tea")
                node.start()
                eventually(lambda: is_ready(url), "the workers did not come back")
                with Page(node) as page:
                    page.hear_until(lambda: not rushing.is_alive(), "the commits do not end")  # noqa: B023 - in this turn
                    shop.await_truth(page)


def test_readings_are_as_many_as_the_interval_allows_for_any_number_of_pages(shop: Shop) -> None:
    """Each worker reads a topic at most each 0.1 s, and once more: whether pages ask all at once or commits rush in."""
    with shop.serve(workers=2) as (_, url), contextlib.ExitStack() as stack:
        pages = [stack.enter_context(Page(shop.node, ["tea"])) for _ in range(20)]

        @contextlib.contextmanager
        def bounded() -> Iterator[None]:
            before, begin = workers(url, 2), time.monotonic()
            yield
            after, seconds = workers(url, 2), time.monotonic() - begin
            reads = [after[pid]["counters"]["live_read"] - before[pid]["counters"]["live_read"] for pid in before]
            assert 0 < max(reads) <= seconds / 0.099 + 1, (reads, seconds)

        with bounded():
            asked = [page.begin_to_ask() for page in pages]
            for page, questions in zip(pages, asked, strict=True):
                page.await_answers(questions)
        with bounded():
            rushes = [threading.Thread(target=get, args=(f"{url}/rush?count=50&item=tea",)) for _ in range(2)]
            for rush in rushes:
                rush.start()
            for rush in rushes:
                rush.join()
            for page in pages:
                page.hear_until(lambda: page.shown["tea"][1] == 900, "a page stays wrong")  # noqa: B023 - in this turn
        assert shop.stock()["tea"] == 900
