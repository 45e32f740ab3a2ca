"""Alerts: opened after their time, one at a time, resolved, sent once by mail and webhook, never in quiet hours."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask
from sqlalchemy import select, update

from tests.apps.monitor.hosts import NASTY, FakeHost
from tests.apps.visiting import USER, Visitor
from wampflask.apps import network
from wampflask.apps.db import now
from wampflask.apps.extensions import db, wamp
from wampflask.apps.monitor import service
from wampflask.apps.monitor.alerts import evaluation, notifications
from wampflask.apps.monitor.alerts.models import Alert, AlertRule, AlertState, Channel, Metric, Notice, NoticeState
from wampflask.apps.monitor.models import Host
from wampflask.in_memory import MemoryRealm
from wampflask.testing import free_port

# apprise 2.2 imports it for Python 3.11 and 3.12, and there is no newer apprise
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

WHOLE = {"time": 1_800_000_000.0, "interval": 5.0, "version": 1}
NIGHT = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_pool_of_apprise(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It keeps threads for the process's life; a test's end with the test."""
    with ThreadPoolExecutor() as pool:
        monkeypatch.setattr("apprise.apprise._shared_executor", pool)
        yield


class Rules:
    """The evaluation with a clock of its own."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.now = 0.0
        self.evaluation = evaluation.Evaluation(lambda: self.now)

    def round(self, after: float, **samples: dict[str, Any]) -> list[tuple[str, str]]:
        """The alerts after a round so many seconds later."""
        self.now += after
        with self.app.app_context():
            self.evaluation.round({host: {**WHOLE, **sample} for host, sample in samples.items()})
            rows = db.session.scalars(select(Alert).order_by(Alert.id)).all()
            return [(row.state.value, row.text) for row in rows]


@pytest.fixture
def host(app: Flask, realm: MemoryRealm) -> FakeHost:
    host = FakeHost(app).enrol()
    host.append(realm, [host.sample()])
    online(app, host)
    return host


def online(app: Flask, host: FakeHost, *, is_online: bool = True) -> None:
    with app.app_context():
        service.set_presence(db.session(), {host.host: is_online})
        db.session.commit()


def add(app: Flask, *things: Any) -> None:
    with app.app_context():
        db.session.add_all(things)
        db.session.commit()


@pytest.fixture
def rules(app: Flask) -> Rules:
    return Rules(app)


def test_an_alert_opens_after_its_time_and_is_resolved(
    app: Flask, realm: MemoryRealm, host: FakeHost, rules: Rules
) -> None:
    add(app, AlertRule(name="Hot", metric=Metric.CPU, threshold=90, seconds=60))
    bad, good = {host.host: {"cpu": 0.97}}, {host.host: {"cpu": 0.2}}
    assert rules.round(0, **bad) == []
    assert rules.round(59, **bad) == []
    assert rules.round(1, **bad) == [("open", "web1: CPU is 97%, above 90%")]
    assert len(rules.round(600, **bad)) == 1
    assert rules.round(1, **good)[0][0] == "open"  # it may flap
    assert rules.round(20, **bad)[0][0] == "open"
    assert rules.round(1, **good)[0][0] == "open"
    assert rules.round(31, **good)[0][0] == "resolved"
    assert [re.findall(r'data-state="(\w+)"', html) for html in lists(realm, "open_alerts")] == [["open"]] * 2 + [
        []
    ] * 2
    own = [re.findall(r'data-state="(\w+)"', html) for html in lists(realm, "alerts_of")]
    assert own == [["open"]] * 2 + [["resolved"]] * 2, "a user's and an admin's, each time"


def lists(realm: MemoryRealm, fragment: str) -> list[str]:
    """What was sent of a list, to users and to admins: the rows that changed."""
    sent = [event.args[0] for event in realm.published if event.topic.startswith(f"wampflask.fragments.{fragment}.")]
    return ["".join(state["rows"].values()) for _, state in sent]


def test_alerts_are_acknowledged_from_the_list_by_admins_alone(
    app: Flask, realm: MemoryRealm, admin: Visitor, host: FakeHost, rules: Rules
) -> None:
    add(app, AlertRule(name="Gone", metric=Metric.OFFLINE, seconds=0))
    online(app, host, is_online=False)
    rules.round(0)
    for fragment in ("open_alerts", "alerts_of"):
        assert sum("<form" in html for html in lists(realm, fragment)) == 1, "an admin's alone"
    user = Visitor(app).log_in(USER)
    page = f"/hosts/{host.host}/"
    [action] = re.findall(r'action="(/alerts/\d+/acknowledge)"', admin.get("/dashboard/").text)
    for path in ("/dashboard/", page):
        assert f'action="{action}"' in admin.get(path).text
        assert "web1 is offline" in user.get(path).text
        assert "/acknowledge" not in user.get(path).text
    assert user.post(action, form="/dashboard/").status_code == 403
    realm.published.clear()
    assert admin.post(action, {"back": "host"}, form=page).headers["Location"] == page
    assert all("Acknowledged by admin@example.org" in html for html in lists(realm, "open_alerts"))
    assert "Acknowledged by admin@example.org" in user.get(page).text


def test_the_alerts_of_a_removed_host_leave_the_list(
    app: Flask, realm: MemoryRealm, admin: Visitor, host: FakeHost, rules: Rules
) -> None:
    add(app, AlertRule(name="Gone", metric=Metric.OFFLINE, seconds=0))
    online(app, host, is_online=False)
    rules.round(0)
    realm.published.clear()
    page = f"/hosts/{host.host}/"
    assert admin.post(f"{page}remove", form=page).status_code == 302
    orders = [e.args[0][1]["order"] for e in realm.published if e.topic.startswith("wampflask.fragments.open_alerts.")]
    assert orders[-1] == []


def test_what_flaps_below_its_time_does_not_alarm(app: Flask, host: FakeHost, rules: Rules) -> None:
    add(app, AlertRule(name="Hot", metric=Metric.CPU, threshold=90, seconds=10))
    for _ in range(20):
        assert rules.round(6, **{host.host: {"cpu": 0.97}}) == []
        assert rules.round(1, **{host.host: {"cpu": 0.1}}) == []


def test_offline_is_a_rule_and_a_disabled_host_is_none_of_its(app: Flask, host: FakeHost, rules: Rules) -> None:
    add(app, AlertRule(name="Gone", metric=Metric.OFFLINE, seconds=30))
    online(app, host, is_online=False)
    assert rules.round(0) == []
    assert rules.round(31) == [("open", "web1 is offline")]
    with app.app_context():
        db.session.execute(update(Host).values(disabled=True))
        db.session.commit()
    assert rules.round(1) == [("resolved", "web1 is offline")]


def test_hosts_and_labels_choose(app: Flask, realm: MemoryRealm, host: FakeHost, rules: Rules) -> None:
    other = FakeHost(app, "db1").enrol()
    other.append(realm, [other.sample()])
    online(app, other)
    with app.app_context():
        service.get_host(db.session(), other.host).labels = "db, paris"
        db.session.commit()
    add(app, AlertRule(name="Full", metric=Metric.DISK, threshold=80, seconds=0, labels="db"))
    full = {"disks": {"/": {"total": 10, "used": 9, "free": 1, "ratio": 0.9}}}
    assert rules.round(0, **{host.host: full, other.host: full}) == [("open", "db1: disk is 90%, above 80%")]


def test_a_deleted_rule_resolves_its_alerts(app: Flask, host: FakeHost, rules: Rules) -> None:
    add(app, AlertRule(name="Hot", metric=Metric.CPU, threshold=90, seconds=0))
    rules.round(0, **{host.host: {"cpu": 1.0}})
    with app.app_context():
        db.session.delete(db.session.scalars(select(AlertRule)).one())
        db.session.commit()
    assert rules.round(1, **{host.host: {"cpu": 1.0}})[0][0] == "resolved"


def test_an_admin_acknowledges(app: Flask, realm: MemoryRealm, admin: Visitor, host: FakeHost, rules: Rules) -> None:
    add(app, AlertRule(name="Hot", metric=Metric.CPU, threshold=90, seconds=0))
    rules.round(0, **{host.host: {"cpu": 1.0}})
    assert admin.post("/alerts/1/acknowledge").status_code == 302
    with app.app_context():
        alert = db.session.get_one(Alert, 1)
        assert (alert.state, alert.acknowledged_by) == (AlertState.ACKNOWLEDGED, "admin@example.org")
    assert rules.round(1, **{host.host: {"cpu": 1.0}})[0][0] == "acknowledged"


# -- sending


class Mailbox:
    """A real SMTP server's messages."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        self.messages.append(message_from_bytes(envelope.content or b"", policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


class Hook(BaseHTTPRequestHandler):
    """A webhook's receiver."""

    received: list[dict[str, Any]]
    failures = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = type(self)
        if kind.failures:
            kind.failures -= 1
            self.send_response(503)
        else:
            kind.received.append(body)
            self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Nothing."""


@pytest.fixture
def hook() -> Iterator[tuple[type[Hook], int]]:
    kind = type("Receiver", (Hook,), {"received": []})
    server = HTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield kind, server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def send(app: Flask) -> None:
    with app.app_context():
        notifications.send_due()


def test_the_jobs_send_what_is_due_and_forget_what_is_long_resolved(
    app: Flask, realm: MemoryRealm, hook: tuple[type[Hook], int], rules: Rules
) -> None:
    kind, http = hook
    host = FakeHost(app).enrol()
    host.append(realm, [host.sample()])
    online(app, host)
    add(
        app,
        AlertRule(name="Hot", metric=Metric.CPU, threshold=90, seconds=0),
        Channel(name="Hook", address=f"json://127.0.0.1:{http}/alerts"),
    )
    for value in (1.0, 0.1):
        rules.round(0, **{host.host: {"cpu": value}})
        with app.app_context():
            assert wamp.run_job("monitor.notifications").outcome == "done"
    assert [message["title"].split(":")[0] for message in kind.received] == ["Alert", "Resolved"]
    with app.app_context():
        for age, left in ((timedelta(days=89), 1), (timedelta(days=91), 0)):
            db.session.execute(update(Alert).values(resolved_at=now() - age))
            db.session.commit()
            assert wamp.run_job("monitor.alerts").outcome == "done"
            assert len(db.session.scalars(select(Alert)).all()) == left


def states(app: Flask) -> list[tuple[bool, str]]:
    with app.app_context():
        return [(row.resolved, row.state.value) for row in db.session.scalars(select(Notice).order_by(Notice.id))]


def test_mail_and_webhook_once_each(
    app: Flask,
    realm: MemoryRealm,
    mailbox: tuple[Mailbox, int],
    hook: tuple[type[Hook], int],
    rules: Rules,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "lan_address", lambda: "192.0.2.7")
    monkeypatch.setenv("PORT", "8123")
    box, smtp = mailbox
    kind, http = hook
    host = FakeHost(app, NASTY).enrol()
    host.append(realm, [host.sample()])
    online(app, host)
    mail = f"mailto://127.0.0.1:{smtp}?from=hub@example.org&to=admin@example.org"
    add(
        app,
        AlertRule(name="Hot", metric=Metric.CPU, threshold=90, seconds=0),
        Channel(name="Mail", address=mail),
        Channel(name="Hook", address=f"json://127.0.0.1:{http}/alerts"),
        Channel(name="Off", address=f"json://127.0.0.1:{http}/off", enabled=False),
    )
    rules.round(0, **{host.host: {"cpu": 1.0}})
    threads = [threading.Thread(target=send, args=(app,)) for _ in range(3)]  # as if three workers did
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rules.round(1, **{host.host: {"cpu": 0.1}})
    send(app)
    send(app)
    assert [message["title"].split(":")[0] for message in kind.received] == ["Alert", "Resolved"]
    assert "CPU is 100%, above 90%" in kind.received[0]["message"]
    assert [message["type"] for message in kind.received] == ["failure", "success"]
    for message in kind.received:
        assert message["message"].splitlines()[-1] == f"http://192.0.2.7:8123/hosts/{host.host}/"
    assert [message["Subject"].split(":")[0] for message in box.messages] == ["Alert", "Resolved"]
    for part in box.messages[0].walk():
        if part.get_content_type() == "text/html":
            assert "<script>" not in part.get_content()
    assert states(app) == [(False, "sent")] * 2 + [(True, "sent")] * 2


def test_a_failure_is_tried_again_and_still_sent_once(
    app: Flask, host: FakeHost, hook: tuple[type[Hook], int], rules: Rules
) -> None:
    kind, http = hook
    kind.failures = 1
    add(
        app,
        AlertRule(name="Hot", metric=Metric.CPU, threshold=90, seconds=0),
        Channel(name="Hook", address=f"json://127.0.0.1:{http}/alerts"),
    )
    rules.round(0, **{host.host: {"cpu": 1.0}})
    send(app)
    assert states(app) == [(False, "waiting")]
    send(app)
    assert kind.received == []
    with app.app_context():
        notice = db.session.scalars(select(Notice)).one()
        assert "error=503" in notice.error
        notice.due_at = now()
        db.session.commit()
    send(app)
    send(app)
    assert len(kind.received) == 1


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "http://127.0.0.1/x",
        "json://",
        "mailto://secret-word",
        "json://127.0.0.1:9/a json://127.0.0.1:9/b",
    ],
)
def test_an_address_that_nothing_can_be_sent_to_is_refused(app: Flask, admin: Visitor, address: str) -> None:
    path = "/admin/alert_channels/new/"
    answer = admin.post(path, {"name": "Odd", "address": address, "time_zone": "UTC"}, form=path)
    assert answer.status_code == 200
    assert address == "" or "Notifications cannot be sent to this address" in answer.text
    with app.app_context():
        assert db.session.scalars(select(Channel)).all() == []


def test_a_test_message_and_what_came_of_it(
    app: Flask, realm: MemoryRealm, admin: Visitor, hook: tuple[type[Hook], int]
) -> None:
    kind, http = hook
    add(app, Channel(name="Hook", address=f"json://me:secret@127.0.0.1:{http}/alerts"))
    listed = "/admin/alert_channels/"
    assert 'action="/admin/alert_channels/test?id=1' in admin.get(listed).text
    edited = f"{listed}edit/?id=1"
    assert 'action="/admin/alert_channels/test?id=1' in admin.get(edited).text
    answer = admin.post(f"{listed}test?id=1", form=listed, follow_redirects=True)
    assert "Hook: the test notification was sent." in answer.text
    assert [message["title"] for message in kind.received] == ["Test notification from wampflask"]
    kind.failures = 1
    answer = admin.post(f"{listed}test?id=1&url={edited}", form=listed, follow_redirects=True)
    assert answer.request.path == "/admin/alert_channels/edit/"
    assert "the test notification was not sent. Failed to send JSON POST notification" in answer.text
    assert "error=503" in answer.text
    assert "secret" not in answer.text.partition("</ul>")[0].partition("not sent")[2].partition("<form")[0]


def test_a_test_message_is_for_admins_with_a_token(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    add(app, Channel(name="Hook", address="json://127.0.0.1:9/alerts"))
    path = "/admin/alert_channels/test?id=1"
    assert admin.client.post(path).status_code == 400
    assert Visitor(app).post(path).status_code == 302
    assert admin.get(path).status_code == 405
    for number in ("2", "x", "", str(10**30)):
        answer = admin.post(f"/admin/alert_channels/test?id={number}")
        assert answer.status_code == 404, number


def test_quiet_hours_hold_messages_back_and_drop_what_is_over(
    app: Flask, host: FakeHost, hook: tuple[type[Hook], int], rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, http = hook
    clock = [NIGHT]
    monkeypatch.setattr(notifications, "now", lambda: clock[0])
    add(
        app,
        AlertRule(name="Hot", metric=Metric.CPU, threshold=90, seconds=0),
        AlertRule(name="Full", metric=Metric.MEMORY, threshold=90, seconds=0),
        Channel(
            name="Hook",
            address=f"json://127.0.0.1:{http}/",
            quiet_from="22:00",
            quiet_to="07:00",
            time_zone="Europe/Paris",
        ),
    )
    rules.round(0, **{host.host: {"cpu": 1.0, "memory": {"total": 100, "used": 99, "available": 1, "ratio": 0.99}}})
    send(app)
    rules.round(1, **{host.host: {"cpu": 0.1, "memory": {"total": 100, "used": 99, "available": 1, "ratio": 0.99}}})
    send(app)
    assert kind.received == []
    clock[0] = NIGHT + timedelta(hours=7)
    send(app)
    assert [message["title"] for message in kind.received] == ["Alert: web1: memory is 99%, above 90%"]
    assert sorted(state for _, state in states(app)) == ["dropped", "dropped", "sent"]


def test_what_was_interrupted_is_not_repeated(
    app: Flask, host: FakeHost, hook: tuple[type[Hook], int], rules: Rules
) -> None:
    kind, http = hook
    add(
        app,
        AlertRule(name="Hot", metric=Metric.CPU, threshold=90, seconds=0),
        Channel(name="Hook", address=f"json://127.0.0.1:{http}/alerts"),
    )
    rules.round(0, **{host.host: {"cpu": 1.0}})
    with app.app_context():
        db.session.execute(update(Notice).values(state=NoticeState.SENDING))
        db.session.commit()
    send(app)
    assert kind.received == []


@pytest.mark.parametrize(
    ("clock", "start", "end", "quiet"),
    [
        ("23:00", "22:00", "07:00", True), ("06:59", "22:00", "07:00", True), ("07:00", "22:00", "07:00", False),
        ("12:00", "11:00", "13:00", True), ("13:00", "11:00", "13:00", False), ("12:00", "", "", False),
    ],
)  # fmt: skip
def test_quiet_hours(clock: str, start: str, end: str, quiet: bool) -> None:
    hour, minute = map(int, clock.split(":"))
    channel = Channel(name="x", address="x", quiet_from=start, quiet_to=end, time_zone="UTC")
    found = notifications.quiet_until(channel, datetime(2026, 11, 21, hour, minute, tzinfo=UTC))
    assert (found is not None) is quiet
    if found:
        assert f"{found:%H:%M}" == end
        assert timedelta(0) < found - datetime(2026, 11, 21, hour, minute, tzinfo=UTC) < timedelta(days=1)
