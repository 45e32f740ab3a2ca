"""Queues and tasks below the router: what is appended, how it ends, what pages see."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template_string
from sqlalchemy import update

from rig.databases import of_library
from tests.core.live.shop import Item, db, make_app
from wampflask import (
    WAMP,
    AlreadyDeclared,
    CallFailed,
    Cancelled,
    ConfigError,
    InvalidPayload,
    NotAuthorized,
    WampTimeout,
    progress,
)
from wampflask.task_rows import TASKS
from wampflask.tasks import Queue, Task
from wampflask.testing import MemoryRealm, in_memory, run_tasks
from wampflask.worker import TaskWorker


@pytest.fixture
def wamp() -> WAMP:
    return WAMP()


@pytest.fixture
def queue(wamp: WAMP) -> Queue:
    return wamp.queue("video")


@pytest.fixture
def realm(wamp: WAMP, queue: Queue, tmp_path: Path) -> Iterator[MemoryRealm]:
    app = Flask("unit", instance_path=str(tmp_path))
    app.config.update(of_library(tmp_path), WAMP_TASK_LEASE=1)
    wamp.init_app(app)
    with in_memory(app) as realm, app.app_context():
        yield realm
        realm.store.close()


@pytest.fixture
def work(realm: MemoryRealm) -> Callable[[], int]:
    """Run what waits, in this thread."""
    return TaskWorker(realm.app).run_waiting


@pytest.fixture
def worker(realm: MemoryRealm) -> Iterator[TaskWorker]:
    """A worker with threads."""
    worker = TaskWorker(realm.app, threads=2)
    worker.start()
    yield worker
    worker.stop(1)


def wait_for(condition: Callable[[], Any], timeout: float = 20.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
    return found


def make_due(realm: MemoryRealm, task: Task) -> None:
    """Let the time until a retry be over."""
    with realm.store.transaction() as connection:
        connection.execute(update(TASKS).where(TASKS.c.id == task.id).values(due=0))


class Endless:
    """A task that goes on until it is stopped."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.stopped = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        try:
            while True:
                progress(0.5, "Working")
                time.sleep(0.01)
        except Cancelled:
            self.stopped.set()
            raise


def test_a_task_runs_with_its_arguments_and_keeps_its_result(queue: Queue, work: Callable[[], int]) -> None:
    @queue.task("add")
    def add(left: int, *, right: int) -> dict[str, int]:
        return {"sum": left + right}

    task = queue.append("add", 1, right=2)
    assert task.status().state == "waiting"
    assert queue.counts().waiting == 1
    assert work() == 1
    assert task.status().state == "done"
    assert task.status().fraction == 1
    assert task.result(timeout=1) == {"sum": 3}
    assert add(3, right=4) == {"sum": 7}  # it stays a function
    assert [(found.id, found.name, found.attempt) for found in queue.tasks("done")] == [(task.id, "add", 1)]
    assert queue.tasks("failed", "waiting") == []


def test_what_cannot_run_is_refused_when_it_is_appended(queue: Queue, realm: MemoryRealm) -> None:
    @queue.task("add")
    def add(left: int, right: int) -> None: ...

    with pytest.raises(ConfigError, match="no task 'sub'; it has add"):
        queue.append("sub", 1)
    with pytest.raises(TypeError, match="right"):
        queue.append("add", 1)
    with pytest.raises(InvalidPayload, match="set is not JSON"):
        queue.append("add", 1, {2})
    with pytest.raises(InvalidPayload, match="Save a file and pass its name"):
        queue.append("add", 1, "x" * 1_000_001)
    assert queue.tasks() == []


def test_wrong_declarations_are_refused(wamp: WAMP, queue: Queue) -> None:
    queue.task("add")(print)
    with pytest.raises(AlreadyDeclared, match="'add' already"):
        queue.task("add")(print)
    with pytest.raises(ConfigError, match="lower-case"):
        wamp.queue("Video")
    with pytest.raises(ConfigError, match="lower-case"):
        queue.task("no.dots")
    for wrong in ({"retries": -1}, {"timeout": 0}, {"retry_delay": 0}):
        with pytest.raises(ConfigError, match="above 0"):
            queue.task("other", **wrong)
    assert wamp.queue("video") is queue


def test_an_error_is_logged_and_the_page_learns_its_id_alone(
    queue: Queue, realm: MemoryRealm, work: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    @queue.task("fail")
    def fail() -> None:
        raise RuntimeError("the secret of the database")

    task = queue.append("fail")
    with caplog.at_level(logging.ERROR):
        work()
    with pytest.raises(CallFailed, match=r"wampflask\.error\.internal: ([0-9a-f]{8})") as failed:
        task.result()
    assert f"Error {failed.value.args[0]} in the task fail of the queue video" in caplog.text
    assert "the secret" in caplog.text
    with realm.app.test_request_context():
        page = render_template_string("{{ task_progress(task) }}", task=task)
    assert failed.value.args[0] in page
    assert "secret" not in page + str(realm.page().call(f"tasks.{task.id}")) + str(task.status())


def test_a_task_may_fail_with_words_of_its_own(queue: Queue, work: Callable[[], int]) -> None:
    @queue.task("fail", retries=3)
    def fail() -> None:
        raise CallFailed("shop.error.empty", "The file is empty.")

    task = queue.append("fail")
    assert work() == 1
    assert (task.status().state, task.status().words, task.status().attempt) == ("failed", "The file is empty.", 1)
    with pytest.raises(CallFailed, match=r"task_failed: The file is empty\."):
        task.result()


def test_what_fails_in_a_procedure_that_a_task_calls_is_tried_again(
    wamp: WAMP, queue: Queue, realm: MemoryRealm, work: Callable[[], int]
) -> None:
    wamp.register("shop.broken")(lambda: 1 / 0)
    queue.task("try", retries=1)(lambda: wamp.call("shop.broken"))
    task = queue.append("try")
    work()
    assert (task.status().state, task.status().retries) == ("waiting", 0)


def test_errors_are_tried_again_later_and_later(
    queue: Queue, realm: MemoryRealm, work: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    attempts = []

    @queue.task("try", retries=2, retry_delay=60)
    def attempt() -> str:
        attempts.append(time.time())
        if len(attempts) < 3:
            raise OSError("away")
        return "there"

    task = queue.append("try")
    for delay in (60, 120):
        work()
        assert task.status().state == "waiting"
        assert "tried again" in task.status().words
        with realm.store.transaction() as connection:
            due = connection.scalar(TASKS.select().with_only_columns(TASKS.c.due))
        assert due == pytest.approx(time.time() + delay, abs=10)
        make_due(realm, task)
    work()
    assert task.result(timeout=0) == "there"
    assert caplog.text.count("in the task try of the queue video") == 2


def test_retries_come_to_an_end(queue: Queue, realm: MemoryRealm, work: Callable[[], int]) -> None:
    @queue.task("try", retries=1)
    def attempt() -> None:
        raise OSError("away")

    task = queue.append("try")
    work()
    make_due(realm, task)
    work()
    assert (task.status().state, task.status().attempt, task.status().retries) == ("failed", 2, 0)


def test_a_result_that_is_no_json_is_the_tasks_error(
    queue: Queue, work: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    queue.task("fail")(lambda: {1, 2})
    task = queue.append("fail")
    work()
    assert task.status().state == "failed"
    assert "set is not JSON" in caplog.text


@pytest.mark.parametrize("fraction", [-0.1, 1.1, "half", True, None])
def test_progress_in_a_task_is_a_fraction(
    fraction: Any, queue: Queue, work: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    queue.task("wrong")(lambda: progress(fraction))
    queue.append("wrong")
    work()
    assert "how far it is, from 0 to 1" in caplog.text


def test_a_result_that_does_not_come_is_waited_for_so_long(queue: Queue, realm: MemoryRealm) -> None:
    queue.task("work")(print)
    with pytest.raises(WampTimeout, match="still waiting"):
        queue.append("work").result(timeout=0.05)
    with pytest.raises(LookupError, match="There is no task"):
        Task("0" * 32, "video", "work").result()


def test_a_task_that_waits_is_cancelled_at_once(queue: Queue, work: Callable[[], int]) -> None:
    queue.task("work")(print)
    task = queue.append("work")
    assert task.cancel()
    assert not task.cancel()
    assert work() == 0
    with pytest.raises(Cancelled):
        task.result()


def test_a_task_that_runs_is_cancelled_at_its_next_progress(queue: Queue, worker: TaskWorker) -> None:
    endless = Endless()
    queue.task("work", retries=3)(endless)
    task = queue.append("work")
    assert endless.begun.wait(20)
    wait_for(lambda: task.status().fraction == 0.5)
    assert task.cancel()
    assert endless.stopped.wait(20)
    with pytest.raises(Cancelled):
        task.result(timeout=20)


def test_a_late_task_raises_at_its_next_progress(queue: Queue, worker: TaskWorker) -> None:
    endless = Endless()
    queue.task("work", timeout=0.1)(endless)
    task = queue.append("work")
    assert endless.stopped.wait(20)
    with pytest.raises(CallFailed, match=r"It took more than 0\.1 s"):
        task.result(timeout=20)


def test_a_late_task_that_never_asks_is_given_up(
    queue: Queue, worker: TaskWorker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wampflask.worker.STUBBORN", 0.1)
    go = threading.Event()
    queue.task("work", timeout=0.1, retries=5)(lambda: go.wait(20) and None)
    task = queue.append("work")
    with pytest.raises(CallFailed, match="could not be stopped"):
        task.result(timeout=20)
    go.set()
    assert "never calls progress()" in caplog.text


def test_the_end_of_a_worker_puts_back_what_runs(queue: Queue, realm: MemoryRealm) -> None:
    endless = Endless()
    queue.task("work")(endless)
    worker = TaskWorker(realm.app)
    worker.start()
    task = queue.append("work")
    assert endless.begun.wait(20)
    worker.stop(0.05)
    assert endless.stopped.is_set()
    assert (task.status().state, task.status().attempt) == ("waiting", 1)
    assert "begins anew" in task.status().words
    endless.begun.clear()
    other = TaskWorker(realm.app)
    other.start()  # it is in the queue, too
    assert endless.begun.wait(4)
    task.cancel()
    wait_for(lambda: task.status().ended)
    other.stop(1)


def test_the_end_of_a_worker_waits_for_what_finishes_in_time(queue: Queue, realm: MemoryRealm) -> None:
    begun = threading.Event()

    @queue.task("work")
    def work() -> str:
        begun.set()
        time.sleep(0.3)
        return "done"

    worker = TaskWorker(realm.app)
    worker.start()
    task = queue.append("work")
    assert begun.wait(20)
    worker.stop(20)
    assert task.result(timeout=0) == "done"


@pytest.mark.parametrize(("retries", "state"), [(0, "failed"), (1, "waiting")])
def test_the_tasks_of_a_lost_worker_are_found(
    retries: int, state: str, queue: Queue, realm: MemoryRealm, caplog: pytest.LogCaptureFixture
) -> None:
    """What a worker has when it is killed: the row says that it runs, and nothing follows."""
    queue.task("work", retries=retries)(print)
    task = queue.append("work")
    dead, other = TaskWorker(realm.app), TaskWorker(realm.app)
    assert dead._rows.begin(task.id, dead.name)
    other._mend()
    assert task.status().state == "running"
    time.sleep(1.1)  # its lease
    other._mend()
    assert (task.status().state, task.status().retries) == (state, 0)
    assert "Its worker was lost" in task.status().words


def test_what_a_worker_lost_counts_for_nothing(queue: Queue, realm: MemoryRealm) -> None:
    """It was only slow: another has its task by now, and it must not end it."""
    slow = TaskWorker(realm.app)
    ran: list[int] = []

    @queue.task("work", retries=1)
    def work() -> str:
        if not ran:
            ran.append(1)
            begun = slow._runs[task.id, 1].task
            other = TaskWorker(realm.app)
            other._take_over(begun, slow.name)
            other.run(task.id)
            return "too late"
        return "in time"

    task = queue.append("work")
    slow.run(task.id)
    assert task.result(timeout=0) == "in time"


def test_an_id_that_the_queue_lost_is_put_in_again(
    queue: Queue, realm: MemoryRealm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wampflask.worker.OVERDUE", 0.2)
    queue.task("work")(lambda: "done")
    task = queue.append("work")
    (Path(realm.app.instance_path) / "tasks.db").unlink()
    realm.app.extensions.pop("wampflask.tasks")
    worker = TaskWorker(realm.app)
    worker.start()
    assert task.result(timeout=20) == "done"
    worker.stop(1)


def test_an_id_that_was_lost_among_many_is_put_in_again(
    queue: Queue, realm: MemoryRealm, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.task("work")(print)
    lost, waiting = queue.append("work"), queue.append("work")
    worker = TaskWorker(realm.app)
    storage = worker._carrier._carrier("video").storage
    storage.dequeue()
    monkeypatch.setattr("wampflask.worker.LONG_OVERDUE", -1)
    worker._mend()
    assert storage.queue_size() == 3
    monkeypatch.setattr("wampflask.worker.LONG_OVERDUE", 600)
    worker._mend()  # those that were put in are not put in again
    assert storage.queue_size() == 3
    assert worker.run_waiting() == 2
    assert lost.status().state == waiting.status().state == "done"


def test_what_comes_while_a_worker_ends_is_left_to_others(queue: Queue, realm: MemoryRealm) -> None:
    queue.task("work")(lambda: "done")
    worker, other = TaskWorker(realm.app), TaskWorker(realm.app)
    worker.start()
    worker.stop(0)
    task = queue.append("work")
    worker._carrier._carrier("video").storage.dequeue()  # by a thread that ends, too late
    worker.run(task.id)
    assert task.status().state == "waiting"
    assert not worker._carrier.is_empty("video")
    other.start()
    assert task.result(timeout=4) == "done"
    other.stop(1)


def test_all_queues_are_known(wamp: WAMP, queue: Queue) -> None:
    assert wamp.queues == [queue]
    assert WAMP().queues == []


def test_two_workers_run_each_task_once(queue: Queue, realm: MemoryRealm) -> None:
    ran: list[int] = []
    queue.task("work")(ran.append)
    tasks = [queue.append("work", number) for number in range(100)]
    for task in tasks[::2]:
        worker_of = TaskWorker(realm.app)
        worker_of._carrier.put("video", task.id)  # it comes twice
    workers = [TaskWorker(realm.app, threads=2) for _ in range(2)]
    for worker in workers:
        worker.start()
    for task in tasks:
        task.result(timeout=30)
    for worker in workers:
        worker.stop(1)
    assert sorted(ran) == list(range(100))


def test_old_tasks_are_deleted(queue: Queue, realm: MemoryRealm, work: Callable[[], int]) -> None:
    queue.task("work")(lambda: None)
    task, waiting = queue.append("work"), None
    work()
    waiting = queue.append("work")
    worker = TaskWorker(realm.app)
    assert worker._rows.prune(60) == 0
    assert worker._rows.prune(0) == 1
    with pytest.raises(LookupError):
        _ = task.status()
    assert waiting.status().state == "waiting"


def test_a_task_that_this_version_does_not_know_waits(
    queue: Queue, work: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    queue.task("new")(print)
    task = queue.append("new")
    del queue.kinds["new"]
    work()
    assert (task.status().state, task.status().retries) == ("waiting", 0)
    assert "is this worker of an older version?" in caplog.text


# -- on pages


def test_a_page_sees_progress_and_cancels(queue: Queue, realm: MemoryRealm, worker: TaskWorker) -> None:
    endless = Endless()
    queue.task("work")(endless)
    task = queue.append("work")
    page = realm.page()
    page.subscribe(f"tasks.{task.id}")
    assert endless.begun.wait(20)
    wait_for(lambda: any(event.args[0]["fraction"] == 0.5 for event in page.heard))
    state = page.call(f"tasks.{task.id}")
    assert (state["state"], state["words"], state["cancelling"]) == ("running", "Working", False)
    assert page.call(f"tasks.{task.id}.cancel") is True
    wait_for(lambda: page.heard[-1].args[0]["state"] == "cancelled")
    assert page.call(f"tasks.{task.id}.cancel") is False


@pytest.mark.parametrize("wrong", ["f" * 32, "x", "0"])
def test_who_does_not_know_the_id_sees_nothing(wrong: str, realm: MemoryRealm) -> None:
    with pytest.raises(CallFailed, match="no such task"):
        realm.page().call(f"tasks.{wrong}")
    assert realm.page().call(f"tasks.{wrong}.cancel") is False
    with pytest.raises(NotAuthorized):
        realm.page().subscribe("tasks.")


def test_progress_is_conflated(queue: Queue, realm: MemoryRealm, worker: TaskWorker) -> None:
    @queue.task("work")
    def work() -> None:
        for number in range(20_000):
            progress(number / 20_000, "Working")

    task = queue.append("work")
    page = realm.page()
    page.subscribe(f"tasks.{task.id}")
    begun = time.monotonic()
    task.result(timeout=30)
    wait_for(lambda: page.heard[-1].args[0]["state"] == "done")
    assert len(page.heard) <= 3 + 10 * (time.monotonic() - begun)


def test_the_bar_on_a_page(queue: Queue, realm: MemoryRealm, worker: TaskWorker) -> None:
    endless = Endless()
    queue.task("work")(endless)
    task = queue.append("work")
    client = realm.app.test_client()

    def page(template: str = "{{ task_progress(task) }}") -> str:
        with realm.app.test_request_context():
            return render_template_string(template, task=task)

    wait_for(lambda: 'value="50"' in page())
    assert 'aria-label="Working"' in page()
    assert '<span class="task-progress__words" role="status">Working</span>' in page()
    assert "<button>Cancel</button>" in page()
    assert "<form" not in page("{{ task_progress(task, cancel=False) }}")
    action = re.findall(r'action="([^"]+)"', page())[0]
    answer = client.post(action, headers={"Referer": "http://localhost//evil.example/?a=1"})
    assert (answer.status_code, answer.location) == (303, "/evil.example/?a=1")
    wait_for(lambda: task.status().ended)
    assert ">Cancelled</span>" in page()
    assert "<progress" not in page()
    assert client.post(action, headers={"Referer": "http://elsewhere.example/"}).text == "Cancelled."
    assert client.get(action).status_code == 405


def test_what_is_appended_in_a_transaction_is_begun_after_its_commit(wamp: WAMP, queue: Queue, tmp_path: Path) -> None:
    found: list[int | None] = []

    @queue.task("look")
    def look(item: int) -> None:
        row = db.session.get(Item, item)
        found.append(row and row.left)

    app = make_app(tmp_path, wamp, {"wampflask/task.html": "{{ status.state }}"})
    with in_memory(app), app.app_context():
        db.session.get_one(Item, 1).left = 7
        task = wamp.after_commit(db.session).append(queue, "look", 1)
        assert run_tasks(app) == 0
        with pytest.raises(LookupError, match="not committed yet"):
            task.status()
        db.session.commit()
        assert run_tasks(app) == 1
        assert task.status().state == "done"
        db.session.get_one(Item, 1).left = 8
        wamp.after_commit(db.session).append(queue, "look", 1)
        db.session.rollback()
        assert run_tasks(app) == 0
        with pytest.raises(ConfigError, match="no task 'other'"):  # before the commit
            wamp.after_commit(db.session).append(queue, "other")
        db.session.remove()
        db.engine.dispose()
    assert found == [7]


@pytest.mark.parametrize(
    "address", ["tasks.db", "sqlite://", "redis:", "redis://host:port", "amqp://host", "sqlite:///"]
)
def test_wrong_addresses_of_a_queue_are_refused_at_the_start(address: str, tmp_path: Path) -> None:
    app = Flask("unit", instance_path=str(tmp_path))
    app.config["WAMP_QUEUE"] = address
    with pytest.raises(ConfigError, match="WAMP_QUEUE is not the address of a queue"):
        WAMP(app)


def test_redis_without_its_client_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wampflask.config.find_spec", lambda _name: None)
    app = Flask("unit", instance_path=str(tmp_path))
    app.config["WAMP_QUEUE"] = "redis://:secret@127.0.0.1/0"
    with pytest.raises(ConfigError, match="pip install redis") as refused:
        WAMP(app)
    assert "secret" not in str(refused.value)
