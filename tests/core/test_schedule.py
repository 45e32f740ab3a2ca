"""Jobs by a clock of the test's: claims, missed and overlapping runs, processes that die, and errors."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from flask import Flask, current_app
from sqlalchemy.exc import OperationalError

from rig.databases import SERVER, clock_of, of_library
from wampflask import WAMP, AlreadyDeclared, ConfigError, LockTaken
from wampflask._client import Client
from wampflask.jobs import runs_of
from wampflask.router.wire import wait_until
from wampflask.runs import KEPT, LEASE, Run, Runs
from wampflask.schedule import STAND_IN, Scheduler
from wampflask.triggers import SECOND, as_moment

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Clock:
    """Seconds since the epoch, as the test sets them.

    :param changed: called at each change.
    """

    def __init__(self, changed: Callable[[float], None]) -> None:
        self._changed = changed
        self.set(NOON)

    def __call__(self) -> float:
        return self.now

    def set(self, moment: datetime) -> None:
        self.now = moment.timestamp()
        self._changed(self.now)

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self._changed(self.now)


class Worker(Scheduler):
    """A process of its own, as far as the database sees; its turns are the test's."""

    leading = True

    def _leads(self) -> bool:
        return self.leading

    def begin(self) -> None:
        self._prepare()
        self.turn()

    def work(self) -> float:
        """One turn, the end of the runs that it began, and the record of them."""
        self.turn()
        assert self._pool.drain(10)
        return self.turn()

    def die(self) -> None:
        """Forget what runs, as a process does that is killed."""
        self._running.clear()

    def end(self) -> None:
        self._pool.close()


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def app(wamp: WAMP, tmp_path: Path) -> Iterator[Flask]:
    app = Flask("jobs", instance_path=str(tmp_path))
    app.config.update(of_library(tmp_path), WAMP_CRON_THREADS=2)
    wamp.init_app(app, serve=False)
    yield app
    client_of(app).store.close()


def client_of(app: Flask) -> Client:
    client: Client = app.extensions["wamp"]
    return client


@pytest.fixture
def clock(app: Flask, tmp_path: Path) -> Iterator[Clock]:
    """A database server's, where there is one: jobs go by that."""
    if not SERVER:
        yield Clock(lambda _seconds: None)
        return
    with clock_of(of_library(tmp_path)["WAMP_DATABASE"]) as set_to:
        yield Clock(set_to)


@pytest.fixture
def workers(app: Flask, clock: Clock) -> Iterator[Callable[[], Worker]]:
    made: list[Worker] = []

    def make() -> Worker:
        made.append(Worker(client_of(app), clock=clock))
        made[-1].begin()
        return made[-1]

    yield make
    for worker in made:
        worker.end()


def runs(app: Flask, clock: Clock, name: str = "job") -> list[Run]:
    """Oldest first."""
    return runs_of(client_of(app), clock).of(name)[::-1]


def outcomes(app: Flask, clock: Clock) -> list[str]:
    return [run.outcome for run in runs(app, clock)]


def test_a_job_runs_when_it_is_due_in_an_app_context(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker]
) -> None:
    seen = []

    @wamp.cron(every=60, name="job")
    def job() -> None:
        seen.append(current_app.name)

    worker = workers()
    assert worker.work() == 1, "it sleeps a second at most"
    clock.pass_by(59.5)
    assert worker.work() == pytest.approx(0.5)
    assert seen == []
    clock.pass_by(0.5)
    worker.work()
    worker.work()
    assert seen == ["jobs"]
    [run] = runs(app, clock)
    assert (run.due, run.outcome, run.ended, run.passed) == (NOON + timedelta(minutes=1), "done", run.started, 0)


def test_of_many_that_believe_to_lead_one_runs_it(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker]
) -> None:
    count = 0

    @wamp.cron(every=1, name="job")
    def job() -> None:
        nonlocal count
        count += 1

    several = [workers() for _ in range(3)]
    for _ in range(5):
        clock.pass_by(1)
        barrier = threading.Barrier(3)

        def at_once(worker: Worker, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            worker.work()

        threads = [threading.Thread(target=at_once, args=(worker,)) for worker in several]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert count == 5
    assert [run.due for run in runs(app, clock)] == [NOON + timedelta(seconds=n) for n in range(1, 6)]


def test_others_stand_in_for_a_leader_that_does_nothing(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker]
) -> None:
    wamp.cron(every=60, name="job")(lambda: None)
    other = workers()
    other.leading = False
    clock.pass_by(60 + STAND_IN / SECOND - 0.1)
    other.work()
    assert runs(app, clock) == []
    clock.pass_by(0.1)
    other.work()
    assert outcomes(app, clock) == ["done"]
    clock.pass_by(57)
    workers().work()
    clock.pass_by(3)
    other.work()
    assert outcomes(app, clock) == ["done", "done"], "and not for one that does its work"


def test_missed_runs_are_one_if_the_last_is_young(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker], caplog: pytest.LogCaptureFixture
) -> None:
    wamp.cron(every=60, grace=30, name="job")(lambda: None)
    workers()
    clock.pass_by(5 * 60 + 20)
    worker = workers()
    worker.work()
    [run] = runs(app, clock)
    assert (run.due, run.outcome, run.passed) == (NOON + timedelta(minutes=5), "done", 4)
    clock.pass_by(75)
    worker.work()
    assert outcomes(app, clock) == ["done", "missed"]
    clock.pass_by(30)
    worker.work()
    assert outcomes(app, clock) == ["done", "missed", "done"], "the next comes in time"
    assert "runs that are left out: 4" in caplog.text
    assert "no worker was there in time" in caplog.text


def test_a_moment_that_has_passed_counts_if_it_is_young(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker]
) -> None:
    wamp.cron(when=NOON - timedelta(seconds=10), name="job")(lambda: None)
    wamp.cron(when=NOON - timedelta(days=10), name="old")(lambda: None)
    wamp.cron(every=timedelta(days=365), name="repeated")(lambda: None)
    workers().work()
    workers().work()
    assert outcomes(app, clock) == ["done"]
    assert [run.outcome for run in runs(app, clock, "old")] == ["missed"]
    assert runs(app, clock, "repeated") == [], "one that is new begins now"


class Slow:
    """A job that goes on until the test lets it end."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.began = threading.Semaphore(0)

    def __call__(self) -> None:
        self.began.release()
        self.go_on.wait(30)


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.go_on.set()


def test_a_run_that_lasts_is_not_joined_by_another_on_any_machine(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker], slow: Slow
) -> None:
    wamp.cron(every=10, name="job")(slow)
    one, two = workers(), workers()
    clock.pass_by(10)
    one.turn()
    assert slow.began.acquire(timeout=10)
    clock.pass_by(10)
    two.work()
    assert outcomes(app, clock) == ["running", "skipped"]
    slow.go_on.set()
    one.work()
    clock.pass_by(10)
    two.work()
    assert outcomes(app, clock) == ["done", "skipped", "done"]


def test_a_job_may_overlap(wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker], slow: Slow) -> None:
    wamp.cron(every=10, overlap=True, name="job")(slow)
    one, two = workers(), workers()
    for worker in (one, two):
        clock.pass_by(10)
        worker.turn()
        assert slow.began.acquire(timeout=10)
    assert outcomes(app, clock) == ["running", "running"]


def test_a_process_without_a_free_thread_leaves_runs_to_others(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker], slow: Slow
) -> None:
    for name in ("slow-1", "slow-2"):
        wamp.cron(when=NOON + timedelta(seconds=5), name=name)(slow)
    wamp.cron(every=10, name="job")(lambda: None)
    one, two = workers(), workers()
    two.leading = False
    clock.pass_by(5)
    one.turn()
    assert slow.began.acquire(timeout=10)
    assert slow.began.acquire(timeout=10)
    clock.pass_by(5)
    assert one.turn() == 1, "it does not ask again and again"
    assert runs(app, clock) == []
    clock.pass_by(3)
    two.work()
    assert outcomes(app, clock) == ["done"]


def test_a_run_whose_process_died_is_lost_and_the_next_goes_on(
    wamp: WAMP,
    app: Flask,
    clock: Clock,
    workers: Callable[[], Worker],
    slow: Slow,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wamp.cron(every=10, name="job")(slow)
    one, two = workers(), workers()
    clock.pass_by(10)
    one.turn()
    assert slow.began.acquire(timeout=10)
    one.die()
    slow.go_on.set()
    clock.pass_by(LEASE / SECOND + 0.1)
    assert outcomes(app, clock) == ["lost"], "as it is shown"
    clock.pass_by(5)
    two.work()
    assert outcomes(app, clock) == ["lost", "done"]
    assert "is lost" in caplog.text


def test_a_run_that_lasts_gives_signs_of_life(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker], slow: Slow
) -> None:
    wamp.cron(every=10, name="job")(slow)
    one, two = workers(), workers()
    clock.pass_by(10)
    one.turn()
    assert slow.began.acquire(timeout=10)
    for _ in range(6):
        clock.pass_by(10)
        one._renewed -= 60  # the clock of the process itself
        one.turn()
        two.work()
    assert outcomes(app, clock)[0] == "running"
    assert set(outcomes(app, clock)[1:]) == {"skipped"}


def test_an_error_has_an_id_and_the_next_run_goes_on(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker], caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[BaseException] = [RuntimeError("the job's own"), SystemExit(3)]

    @wamp.cron(every=10, name="job")
    def job() -> None:
        if failures:
            raise failures.pop()

    worker = workers()
    for _ in range(3):
        clock.pass_by(10)
        worker.work()
    assert outcomes(app, clock) == ["failed", "failed", "done"]
    for run in runs(app, clock)[:2]:
        assert f"Error {run.error} in the job job" in caplog.text


def test_without_the_database_nothing_begins_and_what_has_ended_is_recorded_later(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker], slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    wamp.cron(every=10, grace=15, name="job")(slow)
    worker = workers()
    clock.pass_by(10)
    worker.turn()
    assert slow.began.acquire(timeout=10)
    with monkeypatch.context() as away:

        def refuse() -> None:
            raise OperationalError("BEGIN", {}, Exception("away"))

        away.setattr(client_of(app).store, "transaction", refuse)
        slow.go_on.set()
        assert worker._pool.drain(10)
        clock.pass_by(20)
        for _ in range(2):
            with pytest.raises(OperationalError):
                worker.turn()
    assert outcomes(app, clock) == ["lost"], "nobody knows better yet"
    worker.work()
    assert outcomes(app, clock) == ["done", "done"]
    assert [run.passed for run in runs(app, clock)] == [0, 1]


def test_what_still_runs_at_the_end_of_a_process_is_lost(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker], slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    wamp.cron(every=10, name="job")(slow)
    worker = workers()
    clock.pass_by(10)
    worker.turn()
    assert slow.began.acquire(timeout=10)
    worker.stop(time.monotonic() + 0.05)
    assert outcomes(app, clock) == ["lost"]
    assert "still running when its process ended" in caplog.text


def test_a_clock_that_was_years_ahead_stops_nothing(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker]
) -> None:
    wamp.cron(every=10, name="job")(lambda: None)
    clock.set(datetime(2040, 1, 1, tzinfo=UTC))
    wrong = workers()
    clock.pass_by(10)
    wrong.work()
    clock.set(NOON)
    right = workers()
    clock.pass_by(10)
    right.work()
    assert NOON + timedelta(seconds=10) in [run.due for run in runs(app, clock)]


def test_old_runs_are_pruned(wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker]) -> None:
    wamp.cron(every=1, name="job")(lambda: None)
    worker = workers()
    for _ in range(KEPT + 5):
        clock.pass_by(1)
        worker.work()
    assert len(runs(app, clock)) == KEPT + 5
    worker._pruned -= 1000
    worker.turn()
    kept = runs(app, clock)
    assert len(kept) == KEPT
    assert as_moment(kept[-1].due) == round(clock.now * SECOND)
    clock.pass_by(401 * 86_400)
    runs_of(client_of(app), clock).prune(["other"])
    assert runs(app, clock) == []
    for _ in range(2):
        clock.pass_by(1)
        worker.work()
    assert outcomes(app, clock) == ["done"], "what another app has pruned begins anew"


def test_jobs_are_shown_to_any_process(
    wamp: WAMP, app: Flask, clock: Clock, workers: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        assert wamp.jobs() == []

    @wamp.cron(day_of_week="mon", hour=3, minute=30, zone="Europe/Paris")
    def weekly() -> None: ...

    wamp.cron(every=timedelta(minutes=5), name="often", overlap=True)(lambda: None)
    monkeypatch.setattr("wampflask.jobs.time.time", clock)
    with app.app_context():
        assert [job.last_run for job in wamp.jobs()] == [None, None], "nobody has served yet"
    worker = workers()
    clock.pass_by(300)
    worker.work()
    with app.app_context():
        often, week = wamp.jobs()
    assert (often.name, often.trigger, often.overlap) == ("often", "every 5 minutes", True)
    assert often.last_run is not None
    assert (often.last_run.outcome, often.last_run.due) == ("done", NOON + timedelta(minutes=5))
    assert week.name.endswith("test_schedule.test_jobs_are_shown_to_any_process.<locals>.weekly")
    assert week.trigger == "day_of_week=mon, hour=3, minute=30 (Europe/Paris)"
    assert week.next_run == datetime(2030, 1, 7, 2, 30, tzinfo=UTC)


def test_a_run_by_hand(wamp: WAMP, app: Flask, clock: Clock, slow: Slow) -> None:
    wamp.cron(every=3600, name="job")(slow)
    wamp.cron(every=3600, name="bad")(lambda: 1 // 0)
    with app.app_context():
        with pytest.raises(ConfigError, match="declared are: bad, job"):
            wamp.run_job("jab")
        assert wamp.run_job("bad").outcome == "failed"

        def by_hand() -> None:
            with app.app_context():
                wamp.run_job("job")

        thread = threading.Thread(target=by_hand)
        thread.start()
        assert slow.began.acquire(timeout=10)
        with pytest.raises(LockTaken, match="runs already"):
            wamp.run_job("job")
        slow.go_on.set()
        thread.join()
        clock.pass_by(1)
        assert wamp.run_job("job").outcome == "done"
        assert [job.last_run.outcome for job in wamp.jobs() if job.last_run] == ["failed", "done"]


def test_a_run_by_hand_that_is_not_waited_for(
    wamp: WAMP, app: Flask, slow: Slow, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wamp.cron(every=3600, name="job")(slow)

    def last() -> Run | None:
        [job] = wamp.jobs()
        return job.last_run

    def end() -> None:
        slow.go_on.set()
        [thread] = [thread for thread in threading.enumerate() if thread.name == "wampflask-jobs-job"]
        assert not thread.daemon, "the process waits for it"
        thread.join(10)

    with app.app_context():
        began = wamp.run_job("job", wait=False)
        assert slow.began.acquire(timeout=10)
        assert began == last()
        assert began.outcome == "running"
        with pytest.raises(LockTaken, match="runs already"):
            wamp.run_job("job", wait=False)
        end()
        assert (found := last()) is not None
        assert (found.due, found.outcome) == (began.due, "done")
        slow.go_on.clear()
        wamp.run_job("job", wait=False)
        assert slow.began.acquire(timeout=10)
        monkeypatch.setattr(Runs, "finish", lambda *_: 1 // 0)
        end()
    assert "How the job job, run by hand, ended was not recorded" in caplog.text


def test_the_command(wamp: WAMP, app: Flask) -> None:
    runner = app.test_cli_runner()
    assert "No job is declared" in runner.invoke(args=["wamp", "jobs"]).output
    wamp.cron(every=3600, name="good")(lambda: None)
    wamp.cron(every=3600, name="bad")(lambda: 1 // 0)
    assert runner.invoke(args=["wamp", "jobs", "run", "good"]).output.startswith("Done at ")
    failed = runner.invoke(args=["wamp", "jobs", "run", "bad"])
    assert (failed.exit_code, "The job failed: error " in failed.output) == (1, True)
    unknown = runner.invoke(args=["wamp", "jobs", "run", "ugly"])
    assert (unknown.exit_code, "declared are: bad, good" in unknown.output) == (1, True)
    shown = runner.invoke(args=["wamp", "jobs"])
    assert "every hour; next: " in shown.output
    assert re.search(r"failed in \d\.\d s error [0-9a-f]{8} in the log of ", shown.output)
    as_json = runner.invoke(args=["wamp", "jobs", "--json"])
    assert [job["last_run"]["outcome"] for job in json.loads(as_json.output)] == ["failed", "done"]


def test_the_command_says_that_the_database_is_away(wamp: WAMP, tmp_path: Path) -> None:
    wamp.cron(every=3600, name="job")(lambda: None)
    app = Flask("lost", instance_path=str(tmp_path))
    app.config["WAMP_DATABASE"] = f"sqlite:///{tmp_path / 'missing' / 'wamp.db'}"
    wamp.init_app(app)
    for command in ([], ["run", "job"]):
        answer = app.test_cli_runner().invoke(args=["wamp", "jobs", *command])
        assert answer.exit_code == 1
        assert answer.output.startswith("Error: The database of WAMP_DATABASE does not answer: "), answer.output


async def asynchronous() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda wamp: wamp.cron(), "needs one of"),
        (lambda wamp: wamp.cron(every=60, hour=3), "needs one of"),
        (lambda wamp: wamp.cron(every=60, zone="UTC"), "leave it out"),
        (lambda wamp: wamp.cron(every=60, grace=1), "5 seconds or more"),
        (lambda wamp: wamp.cron(every=60, grace="long"), "5 seconds or more"),
        (lambda wamp: wamp.cron(every=60)(asynchronous), "async def"),
        (lambda wamp: wamp.cron(every=60)(lambda x: x), "without arguments"),
        (lambda wamp: wamp.cron(every=60, name="two words")(print), "spaces"),
        (lambda wamp: wamp.cron(every=60)(partial(print, 1)), "give name="),
    ],
)
def test_wrong_declarations_are_refused_where_they_stand(
    wamp: WAMP, declare: Callable[[WAMP], object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        declare(wamp)


def test_two_jobs_of_a_name_are_refused(wamp: WAMP) -> None:
    wamp.cron(every=60, name="job")(print)
    with pytest.raises(AlreadyDeclared, match="declared twice"):
        wamp.cron(hour=3, name="job")(print)


def test_a_zone_that_there_is_not_stops_the_start(wamp: WAMP, tmp_path: Path) -> None:
    app = Flask("mars", instance_path=str(tmp_path))
    app.config["WAMP_CRON_ZONE"] = "Mars/Olympus"
    with pytest.raises(ConfigError, match="WAMP_CRON_ZONE"):
        wamp.init_app(app)


def test_a_job_follows_the_apps_zone(wamp: WAMP, tmp_path: Path) -> None:
    wamp.cron(hour=12, name="noon")(print)
    app = Flask("paris", instance_path=str(tmp_path))
    app.config.update(of_library(tmp_path), WAMP_CRON_ZONE="Europe/Paris")
    wamp.init_app(app, serve=False)
    with app.app_context():
        [job] = wamp.jobs()
    assert job.trigger == "hour=12 (Europe/Paris)"
    client_of(app).store.close()
    logging.getLogger(app.name).handlers.clear()


@contextmanager
def started(wamp: WAMP, folder: Path, *, serve: bool, **config: object) -> Iterator[Client]:
    """An app whose router never comes."""
    app = Flask("routerless", instance_path=str(folder))
    app.config.update(of_library(folder), **config)
    wamp.init_app(app, serve=serve)
    client = client_of(app)
    client.start()
    try:
        yield client
    finally:
        client.stop()
        client.store.close()


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_a_process_that_serves_runs_jobs_without_a_router(wamp: WAMP, tmp_path: Path) -> None:
    ran, late = threading.Event(), threading.Event()
    wamp.cron(every=1, name="job")(ran.set)
    with started(wamp, tmp_path, serve=True) as client:
        assert ran.wait(30)
        wamp.cron(every=1, name="late")(late.set)
        assert late.wait(30)
    assert wait_until(lambda: "wampflask-leader of cron.routerless" not in threads(), 30)
    assert {run.outcome for run in runs_of(client).of("job")} == {"done"}
    client.store.close()


@pytest.mark.parametrize(("serve", "count"), [(False, 4), (True, 0)])
def test_a_process_that_only_sends_runs_none_nor_one_without_threads(
    wamp: WAMP, tmp_path: Path, serve: bool, count: int
) -> None:
    wamp.cron(every=1, name="job")(lambda: None)
    with started(wamp, tmp_path, serve=serve, WAMP_CRON_THREADS=count):
        assert "wampflask-leader of cron.routerless" not in threads()


def test_the_first_job_may_be_declared_in_a_process_that_serves_already(wamp: WAMP, tmp_path: Path) -> None:
    ran = threading.Event()
    with started(wamp, tmp_path, serve=True):
        wamp.cron(every=1, name="job")(ran.set)
        assert ran.wait(30)
