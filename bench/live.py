"""(f): a card that stays true in open pages, with wampflask and with Turbo-Flask. All: ``python -m bench.live``.

All serve the same shop (``bench/card``): one item in SQLite, one POST that sells it. A third side publishes
nothing: as many commits as its view makes is the most that there can be, whatever is published. Ours runs in two
gunicorn workers of eight threads beside the router. Turbo-Flask runs in one worker, because its sockets stand in one
process's dictionary, with a thread for each page and twenty for requests. *Stale* is the time from a commit to the
arrival of a state that contains it, at twenty of the pages.

What the figures do not say: Turbo-Flask pushes inside of the POST, so at a low rate a page is newer by the interval in
which we gather changes (0.1 s); and it needs no router. Our pages have forms with their own token, which cannot be
pushed to all by Turbo-Flask.
"""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

from rig.delivery import MissingDeliveryError
from wampflask import Permission
from wampflask._live_protocol import WORKER_LOST
from wampflask.fragments import FETCH, TOPICS
from wampflask.permissions import PAGES
from wampflask.router.wire import EVENT, SUBSCRIBE, SUBSCRIBED, Refused, Wire, wait_until
from wampflask.testing import RouterNode, free_port

from .figures import Ratio
from .posters import Sale, post
from .watchers import LEFT, Watchers

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / "build" / "turbo-flask"
PINS = ROOT / "bench" / "requirements-peers.txt"
TURNS = 3
SECONDS = 6.0
OPEN = 200
MANY = 1000
FULL = 1_000_000
"""What the shop has at first."""
KILLS = 20
PERMISSIONS = (
    Permission.of_library(f"{TOPICS}.card.<!key>", subscribe=PAGES),
    Permission.of_library(FETCH, call=PAGES),
    Permission.of_library(WORKER_LOST, subscribe=PAGES),
)
_ELEMENT = re.compile(r'<live-fragment name="(.*?)" args="(.*?)" key="(.*?)"')


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one turn. Times in milliseconds: median and 99th percentile."""

    rate: float
    stale: tuple[float, float]
    posts: tuple[float, float]
    events: float

    @classmethod
    def of(cls, sales: Sequence[Sale], report: dict[str, Any]) -> Figures:
        """What the posters and the pages noted.

        :raises MissingDeliveryError: when a commit was never shown.
        """
        span = max(sale.at for sale in sales) - min(sale.at for sale in sales)
        return cls(
            len(sales) / span,
            _percentiles([age for notes in report["notes"] for age in _ages(sales, notes)]),
            _percentiles([sale.took for sale in sales]),
            report["events"] / span,
        )

    @classmethod
    def middle(cls, turns: Sequence[Figures]) -> Figures:
        """The median turn, figure by figure."""

        def pair(of: Callable[[Figures], tuple[float, float]]) -> tuple[float, float]:
            return median(of(turn)[0] for turn in turns), median(of(turn)[1] for turn in turns)

        return cls(
            median(turn.rate for turn in turns),
            pair(lambda turn: turn.stale),
            pair(lambda turn: turn.posts),
            median(turn.events for turn in turns),
        )

    def __str__(self) -> str:
        return (
            f"{self.rate:6.0f} commits/s   stale {self.stale[0]:5.0f} / {self.stale[1]:5.0f} ms   "
            f"POST {self.posts[0]:5.0f} / {self.posts[1]:5.0f} ms   {self.events:5.1f} events/s a page"
        )


def _ages(sales: Sequence[Sale], notes: Sequence[tuple[float, int]]) -> Iterator[float]:
    """For each sale, the seconds until this page showed it or a later one."""
    shown = iter(notes)
    moment, left = 0.0, sys.maxsize
    for sale in sorted(sales, key=lambda sale: -sale.left):
        while left > sale.left:
            found = next(shown, None)
            if found is None:
                raise MissingDeliveryError(f"A page still showed {left} when {sale.left} were left.")
            moment, left = found
        yield max(0.0, moment - sale.at)


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    found = sorted(values)
    return found[len(found) // 2] * 1000, found[int(len(found) * 0.99)] * 1000


# -- the two sites


@dataclass(frozen=True, slots=True)
class Site:
    """A running shop. ``order``: what its pages do, for :class:`Watchers`."""

    url: str
    order: dict[str, Any]
    workers: int

    def load(self, seconds: float = SECONDS, *, pages: int = OPEN, rate: float | None = None) -> Figures:
        """One turn."""
        with Watchers(self.order, pages) as watchers:
            if watchers.opened < pages:
                raise MissingDeliveryError(f"Only {watchers.opened} of {pages} pages could be opened.")
            return self.load_before(watchers, seconds, rate)

    def load_alone(self, seconds: float = SECONDS) -> float:
        """Commits a second that nobody watches."""
        sales = post(f"{self.url}/sell", seconds)
        return len(sales) / (max(sale.at for sale in sales) - min(sale.at for sale in sales))

    def load_before(self, watchers: Watchers, seconds: float, rate: float | None = None) -> Figures:
        """One turn with these pages watching."""
        watchers.do("begin")
        sales = post(f"{self.url}/sell", seconds, rate=rate)
        last = min(sale.left for sale in sales)
        wait_until(lambda: all(shown == last for shown in watchers.do("report")["shown"]), 5, 0.1)
        return Figures.of(sales, watchers.do("report"))

    def counters(self) -> dict[int, dict[str, Any]]:
        """What each worker counted, by its pid."""
        found: dict[int, dict[str, Any]] = {}
        for _ in range(100):
            with suppress(OSError), urlopen(f"{self.url}/counters", timeout=5) as answer:
                one = json.loads(answer.read())
                found[one["pid"]] = one
            if len(found) == self.workers and all(one["state"] == "ready" for one in found.values()):
                break
            time.sleep(0.02)
        return found


@contextmanager
def ours(workers: int = 2, threads: int = 8) -> Iterator[Site]:
    """With wampflask."""
    with ExitStack() as stack:
        node = stack.enter_context(RouterNode(PERMISSIONS))
        env = {"WAMP_URL": node.url, "WAMP_REALM": node.realm, "WAMP_TICKET_SECRET": node.secret}
        url = stack.enter_context(_serve(Path(sys.executable).parent, "ours", workers, threads, env))
        with urlopen(url) as answer:
            found = _ELEMENT.search(answer.read().decode())
        assert found
        entry = [found[1], json.loads(html.unescape(found[2])), found[3]]
        ticket = node.tickets().mint("visitor", "visitor:bench")
        topic = f"{TOPICS}.{found[1]}.{found[3]}"
        order = {"url": node.ws_url, "realm": node.realm, "ticket": ticket, "topic": topic, "entry": entry}
        site = Site(url, order, workers)
        site.counters()
        yield site


@contextmanager
def bare(workers: int = 2, threads: int = 8) -> Iterator[Site]:
    """With nothing published."""
    with _serve(Path(sys.executable).parent, "bare", workers, threads, {}) as url:
        yield Site(url, {}, workers)


@contextmanager
def turbo(workers: int = 1, threads: int = OPEN + 20) -> Iterator[Site]:
    """With Turbo-Flask."""
    with _serve(_peer(), "turbo", workers, threads, {}) as url:
        yield Site(url, {"url": f"{url.replace('http', 'ws')}/turbo-stream"}, workers)


def _peer() -> Path:
    """Turbo-Flask's environment."""
    if not (PEER / "bin" / "gunicorn").exists():
        print(f"Installing Turbo-Flask into {PEER.relative_to(ROOT)}, once.", flush=True)
        venv.create(PEER, with_pip=True)
        subprocess.run([PEER / "bin" / "pip", "install", "--quiet", "--requirement", PINS], check=True)
    return PEER / "bin"


@contextmanager
def _serve(programs: Path, side: str, workers: int, threads: int, env: dict[str, str]) -> Iterator[str]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="wampflask-") as folder, (Path(folder) / "log").open("w+b") as log:
        env = {**os.environ, **env, "SHOP_FOLDER": folder}
        subprocess.run([programs / "python", "-m", "bench.card.shop"], cwd=ROOT, env=env, check=True)
        how = f"--no-control-socket --worker-class gthread --keep-alive 30 --workers {workers} --threads {threads}"
        command: list[str | Path] = [
            programs / "gunicorn",
            *how.split(),
            "--bind",
            f"127.0.0.1:{port}",
            f"bench.card.{side}:app",
        ]
        url = f"http://127.0.0.1:{port}"
        with subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log) as process:
            try:
                assert wait_until(lambda: _answers(url), 30, 0.1), (Path(folder) / "log").read_text()
                yield url
            finally:
                process.send_signal(signal.SIGQUIT)  # at once: Turbo-Flask's threads do not end


def _answers(url: str, timeout: float = 1.0) -> bool:
    with suppress(OSError), urlopen(url, timeout=timeout) as answer:
        return bool(answer.status == 200)
    return False


# -- what is measured


def measure(turns: int = TURNS, rate: float | None = None) -> list[Ratio]:
    """200 pages and eight posters, in turns; prints all sides' figures.

    :param rate: commits a second; None for as many as there can be.
    """
    found: dict[str, list[Figures]] = {"wampflask": [], "Turbo-Flask": []}
    alone: list[float] = []
    for _ in range(turns):
        for name, site in (("wampflask", ours), ("Turbo-Flask", turbo)):
            with site() as running:
                found[name].append(running.load(rate=rate))
        if rate is None:
            with bare() as running:
                alone.append(running.load_alone())
    what = "at full speed" if rate is None else f"at {rate:g} commits/s"
    for name, figures in found.items():
        print(f"(f) {OPEN} pages, {what}, {name:<12} {Figures.middle(figures)}", flush=True)
    rates = [[turn.rate for turn in figures] for figures in found.values()]
    if rate is not None:
        return []
    return [
        Ratio(f"(f) commits that {OPEN} pages watch, against Turbo-Flask", rates[0], rates[1], 2),
        Ratio("(f) the same, against a view that publishes nothing", rates[0], alone, 0.6),
    ]


def many() -> None:
    """1,000 of our pages, 100 commits a second; and all of them coming back."""
    with ours() as site, Watchers(site.order, MANY) as pages:
        counted = _Reads(site)
        figures = site.load_before(pages, 2 * SECONDS, rate=100)
        print(f"(f) {MANY:,} pages, at 100 commits/s, wampflask  {figures}", flush=True)
        print(f"    opened in {pages.seconds:.1f} s; {counted} while commits went on", flush=True)
        pages.do("lose")
        counted = _Reads(site)
        opened, seconds = pages.do("return")
        print(f"    {opened:,} pages came back and asked in {seconds:.1f} s; {counted}", flush=True)


class _Reads:
    """How often workers read from now on."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._before = site.counters()
        self._since = time.monotonic()

    def __str__(self) -> str:
        seconds = time.monotonic() - self._since
        reads = [one["reads"] - self._before[pid]["reads"] for pid, one in self._site.counters().items()]
        return f"reads by the workers: {' + '.join(map(str, reads))}, at most {max(reads) / seconds:.1f}/s a worker"


def lost_connection() -> None:
    """What pages show that were without a connection for five seconds, while 100 were sold."""
    for name, site in (("wampflask", ours), ("Turbo-Flask, were its socket opened again", turbo)):
        with site() as running, Watchers(running.order, 20) as pages:
            post(f"{running.url}/sell", 1, rate=20)
            pages.do("lose")
            sales = post(f"{running.url}/sell", 5, rate=20)
            left = min(sale.left for sale in sales)
            opened, _ = pages.do("return")
            time.sleep(1)
            behind = max((shown or FULL) - left for shown in pages.do("report")["shown"])
        print(f"(f) 5 s without a connection, {name}: {opened} pages are back, {behind} sales behind", flush=True)
    print("    Turbo-Flask opens its socket once: such a page shows the old number until it is reloaded.", flush=True)


def two_workers() -> None:
    """Whether pages see what the other worker sells."""
    for name, site in (("wampflask", ours()), ("Turbo-Flask", turbo(2, OPEN // 2 + 60))):
        with site as running, Watchers(running.order, OPEN // 2) as pages:
            pages.do("begin")
            sales = post(f"{running.url}/sell", 5, rate=40, apart=True)
            time.sleep(1)
            report = pages.do("report")
            last = min(sale.left for sale in sales)
            right = sum(shown == last for shown in report["shown"])
            by = len({sale.pid for sale in sales})
        print(
            f"(f) two workers, {name:<12} {by} of them sold {len(sales)}; {right} of {pages.opened} pages show the "
            f"last one, {report['events']:.0f} events a page",
            flush=True,
        )


def room() -> None:
    """How many pages a site of two workers with eight threads holds before others wait in vain."""
    for open_pages in (8, 14, 16, 24):
        _room("Turbo-Flask", turbo(2, 8), open_pages)
    _room("wampflask", ours(), MANY)


def _room(name: str, site: Any, open_pages: int) -> None:
    with site as running, Watchers(running.order, open_pages) as pages:
        answered = sum(_answers(running.url) for _ in range(4))
    print(
        f"(f) 2 workers of 8 threads, {name:<12} {pages.opened} of {open_pages} pages are open; "
        f"{answered} of 4 requests are answered within 1 s",
        flush=True,
    )


def killed_workers(times: int = KILLS) -> None:
    """How soon a page is right again when workers are killed between a commit and its publication.

    This page asks when it learns that a worker was lost; real ones do so within the next 5 s, each at another moment.
    """
    took: list[float] = []
    with ours() as site, _page(site.order) as page:
        for kills in range(1, times + 1):
            begin = time.monotonic()
            with suppress(OSError):
                urlopen(Request(f"{site.url}/die", method="POST"), timeout=10)
            while page.receive()[0] != EVENT:
                pass
            while _asked(page, site.order) != FULL - kills:
                if time.monotonic() > begin + 10:
                    raise MissingDeliveryError(f"The page stays wrong after {kills} kills.")
            took.append(time.monotonic() - begin)
            site.counters()
    middle, most = median(took), max(took)
    print(f"(f) {times} workers killed after their commits: pages right after {middle:.2f} s, at most {most:.2f} s")


def _page(order: dict[str, Any]) -> Wire:
    """One that hears of lost workers alone."""
    page = Wire(order["url"]).join(order["realm"], order["ticket"])
    assert page.ask(SUBSCRIBE, WORKER_LOST)[0] == SUBSCRIBED
    return page


def _asked(page: Wire, order: dict[str, Any]) -> int:
    """How many are left, as the page is answered now."""
    with suppress(Refused):  # by a worker that is not there any more
        found = LEFT.search(str(page.call(FETCH, [[*order["entry"], ""]])))
        assert found
        return int(found[1])
    return -1


def main() -> int:
    """All of it."""
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    ratios = measure()
    measure(rate=40)
    many()
    lost_connection()
    two_workers()
    room()
    killed_workers()
    print(*ratios, f"load average {os.getloadavg()[0]:.1f}", sep="\n", flush=True)
    return 0 if all(ratio.kept for ratio in ratios) else 1


if __name__ == "__main__":
    sys.exit(main())
