"""The bridge of a site with two workers: what they share, and what is left when one of them is killed."""

from __future__ import annotations

import http.server
import json
import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from rig.databases import of_library
from tests.core.bridge.signer import body_of, signed
from tests.core.processes.programs import BIN, Probe, Program, configuration, eventually, is_gone
from wampflask import bridge_client
from wampflask.bridge_client import Client
from wampflask.keys import PURPOSE, Keys
from wampflask.testing import RouterNode, free_port

APP = Path(__file__).parent / "app_bridge.py"
CALL_TIMEOUT = 1.5


@pytest.fixture(scope="module")
def node() -> Iterator[RouterNode]:
    with RouterNode(follow_workers=True, rate=0) as running:
        yield running


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Site:
    """A real gunicorn with two workers."""

    folder: Path
    env: dict[str, str]
    node: RouterNode
    port: int
    program: Program | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/bridge"

    def start(self) -> None:
        how = f"--no-control-socket --bind 127.0.0.1:{self.port} --workers 2 --threads 8"
        how += " --worker-class wampflask.gunicorn.Worker"
        self.program = Program([BIN / "gunicorn", *how.split(), "app_bridge:app"], self.folder, self.env)
        with Probe(self.node) as probe:
            eventually(lambda: probe.callees("shop.pid") == 2, lambda: f"two workers\n{self.said()}")

    def stop(self) -> None:
        if self.program is not None:
            self.program.end()
            self.program.__exit__()
            self.program = None

    def said(self) -> str:
        return self.program.said() if self.program else ""

    def kill_worker(self, pid: int) -> None:
        """Kill -9 one, and wait until gunicorn has another in its place."""
        os.kill(pid, signal.SIGKILL)
        program = self.program
        assert program is not None
        with Probe(self.node) as probe:
            eventually(
                lambda: pid not in program.children() and probe.callees("shop.pid") == 2,
                lambda: f"a new worker\n{self.said()}",
            )

    def key(self, below: tuple[str, ...] = ("shop",)) -> str:
        secret = self.node.tickets().derive(PURPOSE)
        return Keys(self.folder / "instance", secret).create(
            f"k{secrets.token_hex(4)}", "agent", below, roles=["agent"]
        )

    def post(self, verb: str, body: bytes, query: dict[str, str], **headers: str) -> Answer:
        asked = Request(f"{self.url}/{verb}?{urlencode(query)}", body, headers, method="POST")
        asked.add_header("Content-Type", "application/json")
        try:
            with urlopen(asked, timeout=30) as answer:
                return Answer(answer.status, json.load(answer), dict(answer.headers))
        except HTTPError as error:
            with error:
                return Answer(error.code, json.load(error), dict(error.headers))

    def ask(self, key: str, verb: str, once: str | None = None, **said: Any) -> Answer:
        name, _, secret = key.partition(".")
        body = body_of(**said)
        headers = {} if once is None else {"Idempotency-Key": once}
        return self.post(verb, body, signed(name, secret, body), **headers)

    def outcomes(self, pids: list[int]) -> set[str]:
        """How the runs of the job went in these processes."""
        with urlopen(f"http://127.0.0.1:{self.port}/runs", timeout=20) as answer:
            return {outcome for pid, outcome in json.load(answer) if pid in pids}

    def kinds(self) -> dict[str, dict[str, Any]]:
        with urlopen(f"http://127.0.0.1:{self.port}/kinds", timeout=20) as answer:
            return {found["uri"]: found for found in json.load(answer)}


@pytest.fixture(scope="module")
def site(node: RouterNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("bridged")
    (folder / "instance").mkdir()
    shutil.copy(APP, folder / "app_bridge.py")
    keys = {
        "DEMO_FOLDER": str(folder),
        "WAMP_CALL_TIMEOUT": str(CALL_TIMEOUT),
        "WAMP_BRIDGE_ALLOW": "127.0.0.0/8",
        "WAMP_RATE_LIMIT": "0",
    }
    site = Site(folder, {**configuration(node), **of_library(folder), **keys}, node, free_port())
    site.start()
    try:
        yield site
    finally:
        site.stop()


def workers_of(answers: list[Answer]) -> set[str]:
    return {answer.headers["X-Worker"] for answer in answers}


def test_of_one_request_sent_to_both_workers_one_is_taken(site: Site) -> None:
    name, _, secret = site.key().partition(".")
    served: set[str] = set()
    for _ in range(20):
        body = body_of(topic="shop.sold.tea")
        query = signed(name, secret, body)
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: site.post("publish", body, query), range(6)))  # noqa: B023 - used in here
        assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409, 409]
        served |= workers_of(answers)
        if len(served) == 2:
            return
    pytest.fail("One worker answered everything.")


def test_an_idempotency_key_is_one_over_both_workers(site: Site) -> None:
    key, once = site.key(), secrets.token_hex(8)
    said = {"procedure": "shop.slow", "args": [once, 0.5]}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: site.ask(key, "call", once, **said), range(6)))
    taken = [answer for answer in answers if answer.status == 200]
    waiting = [answer for answer in answers if answer.status == 409]
    assert len(taken) + len(waiting) == 6, answers
    assert {answer.body["error"] for answer in waiting} <= {"wampflask.error.still_running"}
    again = [site.ask(key, "call", once, **said) for _ in range(10)]
    assert {(answer.status, json.dumps(answer.body)) for answer in again} == {(200, json.dumps(taken[0].body))}
    assert len((site.folder / once).read_text().splitlines()) == 1


def test_a_worker_killed_in_the_middle_leaves_nothing_done_twice(site: Site) -> None:
    key, once = site.key(), secrets.token_hex(8)
    said = {"procedure": "shop.slow", "args": [once, 1.2]}
    lost: list[BaseException] = []

    def ask() -> None:
        try:
            site.ask(key, "call", once, **said)
        except OSError as error:
            lost.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    eventually((site.folder / once).exists, "the call runs")
    for pid in site.program.children() if site.program else ():
        os.kill(pid, signal.SIGKILL)
    thread.join(20)
    assert lost
    with Probe(site.node) as probe:
        eventually(lambda: probe.callees("shop.pid") == 2, "two new workers")
    first = site.ask(key, "call", once, **said)
    assert (first.status, first.body["error"]) == (409, "wampflask.error.still_running")
    unknown = eventually(
        lambda: (
            (found := site.ask(key, "call", once, **said)).body["error"] == "wampflask.error.outcome_unknown" and found
        ),
        "the outcome is unknown",
    )
    assert unknown.status == 409
    assert len((site.folder / once).read_text().splitlines()) == 1


def test_a_call_without_an_answer_is_504(site: Site) -> None:
    answer = site.ask(site.key(), "call", procedure="shop.slow", args=["late", CALL_TIMEOUT + 2])
    assert (answer.status, answer.body["error"]) == (504, "wamp.error.timeout")


def test_a_large_body_is_refused(site: Site) -> None:
    body = body_of(topic="shop.sold.tea", args=["x" * 70_000])
    name, _, secret = site.key().partition(".")
    assert site.post("publish", body, signed(name, secret, body)).status == 413


# -- callbacks


@dataclass
class Receiver:
    """A program that is called back: keeps what came, if its signature is right, and answers as told."""

    key: str
    port: int = 0
    heard: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], tuple[int, Any]] = lambda _: (200, None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?own=1"

    @contextmanager
    def listening(self) -> Iterator[None]:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                query = self.path.partition("?")[2]
                status, answer = 401, None
                if bridge_client.verify(receiver.key, query, body) and query.startswith("own=1&"):
                    said = json.loads(body)
                    status, answer = receiver.answer(said)
                    if status == 200:
                        receiver.heard.append(said)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

        server = Server(("127.0.0.1", self.port), Handler)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="wampflask-test-receiver")
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def values(self) -> list[Any]:
        return [said["args"][0] for said in self.heard]


@pytest.fixture
def receiver(site: Site) -> Receiver:
    return Receiver(site.key())


def test_events_are_posted_signed_and_in_order(site: Site, receiver: Receiver) -> None:
    topic = f"shop.sold.{secrets.token_hex(4)}"
    client = Client(site.url, receiver.key)
    with receiver.listening():
        callback = client.subscribe(topic, receiver.url)
        assert client.subscribe(topic, receiver.url) == callback
        for number in range(30):
            client.publish(topic, number, item="tea")
        eventually(lambda: len(receiver.heard) >= 30, lambda: f"30 events, not {receiver.values()}\n{site.said()}")
        assert receiver.values() == list(range(30))
        assert receiver.heard[0] == {"id": callback, "topic": topic, "args": [0], "kwargs": {"item": "tea"}}
        client.unsubscribe(callback)
        assert topic not in site.kinds()


def test_wildcards_are_called_back_too(site: Site, receiver: Receiver) -> None:
    client = Client(site.url, receiver.key)
    with receiver.listening():
        callback = client.subscribe("shop.sold.", receiver.url, match="wildcard")
        client.publish("shop.sold.coffee", 1)
        eventually(lambda: receiver.heard, lambda: f"the event\n{site.said()}")
        assert receiver.heard[0]["topic"] == "shop.sold.coffee"
        client.unsubscribe(callback)


def test_what_a_receiver_missed_waits_through_a_restart_of_the_site(site: Site, receiver: Receiver) -> None:
    topic = f"shop.sold.{secrets.token_hex(4)}"
    client = Client(site.url, receiver.key)
    with receiver.listening():
        client.subscribe(topic, receiver.url)
        client.publish(topic, 0)
        eventually(lambda: receiver.values() == [0], lambda: f"the first\n{site.said()}")
    for number in range(1, 6):
        client.publish(topic, number)
    eventually(lambda: site.kinds()[topic]["waiting"] == 5 and site.kinds()[topic]["note"], "five that wait, and why")
    assert "ConnectionRefusedError" in site.kinds()[topic]["note"]
    site.stop()
    with receiver.listening():
        site.start()
        eventually(lambda: len(receiver.heard) >= 6, lambda: f"all of them, not {receiver.values()}\n{site.said()}")
        assert receiver.values() == list(range(6))
        client.publish(topic, 6)
        eventually(lambda: receiver.values() == list(range(7)), lambda: f"a new one too\n{site.said()}")
        assert site.kinds()[topic]["note"] == ""


def test_a_reload_keeps_what_waits_and_loses_no_run_of_a_job(site: Site, receiver: Receiver) -> None:
    topic = f"shop.sold.{secrets.token_hex(4)}"
    client = Client(site.url, receiver.key)
    program = site.program
    assert program is not None
    ready, sent = threading.Event(), 20
    receiver.answer = lambda _: (200 if ready.is_set() else 503, None)
    with receiver.listening(), Probe(site.node) as probe:
        client.subscribe(topic, receiver.url)
        for number in range(sent):
            client.publish(topic, number)
        eventually(lambda: site.kinds()[topic]["waiting"] == sent, "all wait")
        old, providers = program.children(), probe.providers("shop.pid")
        program.process.send_signal(signal.SIGHUP)
        while probe.providers("shop.pid") & providers or not all(is_gone(pid) for pid in old):
            client.publish(topic, sent)
            sent += 1
        ready.set()
        client.publish(topic, "last")
        eventually(lambda: "last" in receiver.values(), lambda: f"the last, not {receiver.values()}\n{site.said()}")
        numbers = receiver.values()[:-1]
        assert numbers[:20] == list(range(20))
        assert numbers == sorted(set(numbers))
        client.unsubscribe(client.subscribe(topic, receiver.url))
    assert "ERROR" not in site.said()
    assert site.outcomes(old) <= {"done", "skipped"}
    assert "lost" not in site.outcomes(program.children())


def test_a_failing_receiver_gets_the_same_event_again_before_the_next(site: Site, receiver: Receiver) -> None:
    topic = f"shop.sold.{secrets.token_hex(4)}"
    client = Client(site.url, receiver.key)
    failures = iter([500, 302])
    receiver.answer = lambda _: (next(failures, 200), None)
    with receiver.listening():
        client.subscribe(topic, receiver.url)
        for number in range(3):
            client.publish(topic, number)
        eventually(lambda: len(receiver.heard) >= 3, lambda: f"{receiver.values()}\n{site.said()}")
    assert receiver.values() == [0, 1, 2]


def test_another_worker_takes_over_when_one_is_killed(site: Site, receiver: Receiver) -> None:
    topic = f"shop.sold.{secrets.token_hex(4)}"
    client = Client(site.url, receiver.key)
    with receiver.listening():
        client.subscribe(topic, receiver.url)
        program = site.program
        assert program is not None
        for pid in program.children():
            site.kill_worker(pid)
        sent: list[int] = []

        def heard_the_last() -> bool:
            sent.append(len(sent))
            client.publish(topic, sent[-1])
            return bool(receiver.heard)

        eventually(heard_the_last, lambda: f"an event after the kill\n{site.said()}")
        eventually(lambda: receiver.values()[-1] == sent[-1], "the last one")
    assert receiver.values() == sorted(set(receiver.values()))


def test_calls_are_posted_and_their_json_is_the_result(site: Site, receiver: Receiver) -> None:
    procedure = f"shop.answer.{secrets.token_hex(4)}"
    client = Client(site.url, receiver.key)

    def answer(said: dict[str, Any]) -> tuple[int, Any]:
        if said["args"] == ["fail"]:
            return 409, {"error": "shop.error.sold_out", "args": ["No tea."]}
        return (
            (500, None) if said["args"] == ["crash"] else (200, {"for": said["caller"]["authid"], "got": said["args"]})
        )

    receiver.answer = answer
    with receiver.listening():
        callback = client.register(procedure, receiver.url)
        name = receiver.key.partition(".")[0]
        assert client.call(procedure, "tea") == {"for": f"key:{name}", "got": ["tea"]}
        with pytest.raises(bridge_client.CallFailed) as failed:
            client.call(procedure, "fail")
        assert (failed.value.uri, failed.value.args) == ("shop.error.sold_out", ("No tea.",))
        with pytest.raises(bridge_client.CallFailed) as failed:
            client.call(procedure, "crash")
        assert failed.value.uri == "wampflask.error.callback_failed"
        with pytest.raises(bridge_client.Conflict):
            Client(site.url, site.key()).register(procedure, receiver.url)
        client.unregister(callback)
        with pytest.raises(bridge_client.NoSuchProcedure):
            eventually(lambda: client.call(procedure, "tea") and False, "nobody has it")


def test_a_revoked_key_has_no_callbacks(site: Site, receiver: Receiver) -> None:
    topic = f"shop.sold.{secrets.token_hex(4)}"
    other = Client(site.url, site.key())
    with receiver.listening():
        client = Client(site.url, receiver.key)
        client.subscribe(topic, receiver.url)
        Keys(site.folder / "instance", site.node.tickets().derive(PURPOSE)).revoke(receiver.key.partition(".")[0])
        other.publish(topic, 1)
        callback = other.subscribe(f"{topic}x", receiver.url)
        assert topic not in site.kinds()
        other.unsubscribe(callback)
    assert receiver.heard == []


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://169.254.169.254/latest", "ftp://127.0.0.1/", "nonsense"])
def test_callbacks_into_the_network_are_refused(site: Site, url: str) -> None:
    with pytest.raises(bridge_client.BadRequest):
        Client(site.url, site.key()).subscribe("shop.sold.tea", url)


# -- the client


def test_the_client_has_typed_errors(site: Site) -> None:
    client = Client(site.url, site.key())
    assert client.publish("shop.sold.tea", 1) > 0
    assert client.call("shop.order", "tea").startswith("tea for key:")
    with pytest.raises(bridge_client.CallFailed) as failed:
        client.call("shop.order", "coffee")
    assert (failed.value.uri, failed.value.status, str(failed.value)) == (
        "shop.error.sold_out",
        502,
        "shop.error.sold_out: No coffee.",
    )
    with pytest.raises(bridge_client.NotAuthorized):
        client.call("shop.price")
    with pytest.raises(bridge_client.BadRequest):
        client.call("Shop")
    with pytest.raises(bridge_client.WampTimeout):
        client.call("shop.slow", "later", CALL_TIMEOUT + 1)
    assert client.ticket()["role"] == "agent"
    for wrong in ("name", "name."):
        with pytest.raises(ValueError, match="not whole"):
            Client(site.url, wrong)
    with pytest.raises(bridge_client.NotAuthorized):
        Client(site.url, "nobody.secret").publish("shop.sold.tea")


def test_an_outage_of_the_router_is_503_and_the_client_tries_again(site: Site) -> None:
    key = site.key()
    site.node.kill9()
    answer = eventually(
        lambda: (found := site.ask(key, "publish", topic="shop.sold.tea")).status == 503 and found, "the outage is seen"
    )
    assert answer.headers["Retry-After"] == "2"
    assert answer.body["error"] == "wamp.close.transport_lost"
    with pytest.raises(bridge_client.NotConnected):
        Client(site.url, key, retries=0).publish("shop.sold.tea")
    again = threading.Timer(0.2, site.node.start)
    again.start()
    assert Client(site.url, key, retries=20).publish("shop.sold.tea") > 0
    again.join()


def test_a_site_that_is_not_there_is_not_connected() -> None:
    started = time.monotonic()
    with pytest.raises(bridge_client.NotConnected):
        Client(f"http://127.0.0.1:{free_port()}/bridge", "a.b", retries=0).publish("shop.sold.tea")
    assert time.monotonic() - started < 20
