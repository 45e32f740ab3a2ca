"""What one hostile agent does is its own trouble: others' alarms, uploads and settings go on. A real router."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
from flask import Flask
from sqlalchemy import delete, select

from tests.apps.admin.forms import Form
from tests.apps.conftest import copy_instance, make
from tests.apps.monitor.hosts import FakeHost
from tests.apps.visiting import ADMIN, Visitor
from wampflask.apps.extensions import db, wamp
from wampflask.apps.monitor import contract, service
from wampflask.apps.monitor.alerts.models import Alert, AlertRule, Metric
from wampflask.apps.monitor.intake import history, uploads
from wampflask.apps.monitor.models import Host
from wampflask.in_memory import MemoryRealm
from wampflask.router.wire import (
    CALL,
    ERROR,
    INVOCATION,
    PUBLISH,
    REGISTER,
    REGISTERED,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    YIELD,
    Message,
    Wire,
    wait_until,
)
from wampflask.testing import RouterNode

pytestmark = pytest.mark.slow

Answer = Callable[[int, list[Any]], Message | None]
HUGE = 10**40
ABSURD_CLOCKS = (1e308, 1e12, -1e12, 2**52, 0, "now", True, None)


@pytest.fixture(scope="module")
def node(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterNode]:
    folder = tmp_path_factory.mktemp("node") / "instance"
    copy_instance(prepared, folder)
    with RouterNode(contract.PERMISSIONS, folder=folder) as node:
        yield node


@pytest.fixture(scope="module")
def site(node: RouterNode) -> Iterator[Flask]:
    """The site, connected; its leader is at work."""
    app = make(node.folder, **node.config)
    with app.app_context():
        wamp.connect()
    yield app
    app.extensions["wamp"].stop()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(autouse=True)
def no_rules(site: Flask) -> Iterator[None]:
    yield
    with site.app_context():
        db.session.execute(delete(AlertRule))
        db.session.execute(delete(Host))
        db.session.commit()


def accepts(request: int, args: list[Any]) -> Message:
    """What an honest agent answers to whatever it is called for."""
    config = args[0] if isinstance(args[0], dict) else {"version": 1}
    return [YIELD, request, {}, [{"accepted": True, "version": config["version"], "interval": 1.0}]]


def throws(request: int, _args: list[Any]) -> Message:
    """An error whose arguments are called like parameters of ours."""
    return [ERROR, INVOCATION, request, {}, "a.b", [], {"uri": 1}]


def boasts(request: int, _args: list[Any]) -> Message:
    """A version that no database can hold."""
    return [YIELD, request, {}, [{"accepted": True, "version": HUGE}]]


def rambles(request: int, _args: list[Any]) -> Message:
    """No answer of the contract."""
    return [YIELD, request, {}, [[[{"version": [1]}], None, HUGE]], {"host": 1, "args": 2}]


def is_mute(_request: int, _args: list[Any]) -> None:
    """No answer at all."""


class Agent:
    """An agent's session; in a thread of its own it answers calls by ``answer``, and keeps reporting ``values``."""

    def __init__(self, site: Flask, node: RouterNode, answer: Answer = accepts, name: str = "web1") -> None:
        self.fake = FakeHost(site, name).enrol()
        self.calls: list[str] = []
        self.values: dict[str, Any] = {}
        self._answer = answer
        self._procedures: dict[int, str] = {}
        answers = self.fake.post().json or {}
        self.wire = Wire(node.ws_url).join(answers["realm"], answers["ticket"])
        for procedure in (contract.CONFIGURE, contract.WATCH):
            registered = self.wire.ask(REGISTER, contract.for_host(procedure, self.fake.host))
            assert registered[0] == REGISTERED, registered
            self._procedures[registered[2]] = procedure
        self._answers: dict[int, Message] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"agent {name}")
        self._thread.start()
        self.call(contract.READY, {"agent": "1.0.0"})
        self.call(contract.APPEND, [self.fake.sample()])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self.wire.close()

    def _report(self) -> None:
        sample = {**self.fake.sample(), "interval": 1.0, **self.values}
        self._send([PUBLISH, next(self.wire.requests), {}, f"monitor.clientstats.{self.fake.host}", [sample]])

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Message:
        """The RESULT or ERROR."""
        request = next(self.wire.requests)
        self._send([CALL, request, {}, procedure, list(args), kwargs])
        assert wait_until(lambda: request in self._answers, 20), procedure
        return self._answers.pop(request)

    def _send(self, message: Message) -> None:
        with self._lock:
            self.wire.send(message)

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                message = self.wire.receive(0.2)
            except TimeoutError:
                self._report()
                continue
            if message[0] == INVOCATION:
                self.calls.append(self._procedures[message[2]])
                if answer := self._answer(message[1], message[4]):
                    self._send(answer)
            elif message[0] in (RESULT, ERROR):
                self._answers[message[1] if message[0] == RESULT else message[2]] = message


@pytest.fixture
def dashboard(site: Flask, node: RouterNode) -> Iterator[None]:
    """A page that looks at all hosts, for as long as the test lasts."""
    ticket = dict(Visitor(site).log_in(ADMIN).get("/wamp/ticket").json or {})
    wire = Wire(node.ws_url).join(ticket["realm"], ticket["ticket"])
    assert wire.ask(SUBSCRIBE, "monitor.clientstats.", options={"match": "wildcard"})[0] == SUBSCRIBED

    def read() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                wire.receive(0.5)  # the router ends who does not answer its pings

    stop, reading = threading.Event(), threading.Thread(target=read)
    reading.start()
    yield
    assert reading.is_alive(), "nobody looked any more"
    stop.set()
    reading.join(10)
    wire.close()


def alerts(site: Flask) -> list[str]:
    with site.app_context():
        return list(db.session.scalars(select(Alert.text)))


def is_online(site: Flask, agent: Agent) -> bool:
    with site.app_context():
        return service.get_host(db.session(), agent.fake.host).online


@pytest.mark.usefixtures("dashboard")
@pytest.mark.parametrize("answer", [throws, boasts, rambles, is_mute])
def test_alarms_of_other_hosts_go_out(site: Flask, node: RouterNode, answer: Answer) -> None:
    with site.app_context():
        db.session.add(AlertRule(name="Gone", metric=Metric.OFFLINE, seconds=0))
        db.session.add(AlertRule(name="Hot", metric=Metric.CPU, threshold=90, seconds=0))
        db.session.commit()
    with Agent(site, node, answer, "evil") as hostile:
        hostile.values = {"cpu": 1e300, "load": [2**53 - 1], "version": -1, "time": 1e308}
        with Agent(site, node, name="good") as honest:
            assert wait_until(lambda: is_online(site, honest), 20)
            assert wait_until(lambda: contract.WATCH in honest.calls, 20)
            assert wait_until(lambda: contract.WATCH in hostile.calls, 20)
            honest.values = {"cpu": 0.99}
            assert wait_until(lambda: "good: CPU is 99%, above 90%" in alerts(site), 20)
        assert wait_until(lambda: "good is offline" in alerts(site), 20)
        assert is_online(site, hostile), "it was gone, so that nothing was tried"


@pytest.mark.parametrize("answer", [throws, boasts, rambles])
def test_an_admin_who_edits_a_hostile_host_gets_a_page(site: Flask, node: RouterNode, answer: Answer) -> None:
    admin = Visitor(site).log_in(ADMIN)
    with Agent(site, node, answer, "evil") as hostile, Agent(site, node, name="good") as honest:
        assert wait_until(lambda: is_online(site, hostile) and is_online(site, honest), 20)
        page = f"/hosts/{hostile.fake.host}/"
        fields = {"frequency": "7", "handover": "10"}
        answered = admin.post(f"{page}settings", fields, form=page, follow_redirects=True)
        assert answered.status_code == 200
        with site.app_context():
            ids = ",".join(map(str, db.session.scalars(select(Host.id))))
        bulk = f"/admin/hosts/bulk?ids={ids}"
        form = Form(admin.get(bulk).text)
        answered = admin.client.post(bulk, data=form.filled(frequency=9), follow_redirects=True)
        assert "good: Applied" in answered.text
        assert "evil: " in answered.text


def test_uploads_of_other_hosts_are_stored(site: Flask, node: RouterNode) -> None:
    stop = threading.Event()
    with Agent(site, node, name="evil") as hostile, Agent(site, node, name="good") as honest:

        def flood() -> None:
            while not stop.is_set():
                for clock in ABSURD_CLOCKS:
                    hostile.call(contract.APPEND, [hostile.fake.sample()], clock=clock)

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            for _ in range(20):
                answered = honest.call(contract.APPEND, [honest.fake.sample()], clock=time.time())
                assert answered[0] == RESULT, answered
        finally:
            stop.set()
            flooding.join(30)


# -- the same below the router


@pytest.mark.parametrize("clock", ABSURD_CLOCKS)
def test_an_absurd_clock_is_no_clock(app: Flask, realm: MemoryRealm, clock: Any) -> None:
    host = FakeHost(app).enrol()
    assert host.append(realm, [host.sample()], clock=clock) == 1
    with app.app_context():
        seen = service.get_host(db.session(), host.host).last_seen
        assert seen
        assert abs(seen.timestamp() - time.time()) < 60


def test_what_cannot_be_computed_or_stored_is_one_hosts_own(app: Flask, realm: MemoryRealm) -> None:
    good, bad, odd = (FakeHost(app, name).enrol() for name in ("good", "bad", "odd"))
    batch = [
        history.Upload(bad.host, [{**bad.sample(), "memory": {}}]),
        history.Upload(odd.host, [{**odd.sample(), "failed": object()}]),
        history.Upload(good.host, [good.sample()]),
    ]
    with app.app_context():
        outcomes = uploads.store_all(batch)
        assert [type(outcome) is int for outcome in outcomes] == [False, False, True]
        stored = {row.host: row.stored_seq for row in db.session.execute(select(Host.host, Host.stored_seq))}
    assert stored == {good.host: 1, bad.host: 0, odd.host: 0}


@pytest.mark.parametrize("version", [2**52, -1, True, 1.5, "2", None, [2]])
def test_a_version_that_cannot_be_is_a_refusal(app: Flask, realm: MemoryRealm, admin: Visitor, version: Any) -> None:
    host = FakeHost(app).enrol()
    realm.answer(f"monitor.host.{host.host}.configure", lambda _config: {"accepted": True, "version": version})
    page = f"/hosts/{host.host}/"
    answer = admin.post(f"{page}settings", {"frequency": "7", "handover": "10"}, form=page, follow_redirects=True)
    assert "its answer could not be read" in answer.text
