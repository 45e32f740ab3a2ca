"""The operator page by forms: who may see it, what it shows, what it does; with a realm in memory."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from tests.apps.conftest import make
from tests.apps.visiting import ADMIN, USER, Visitor
from wampflask.apps.extensions import db, wamp
from wampflask.apps.ops import contract
from wampflask.apps.ops.views import TABS
from wampflask.apps.player.conversion import conversions
from wampflask.apps.release import of_files
from wampflask.in_memory import MemoryRealm, in_memory
from wampflask.jobs import runs_of
from wampflask.meta import Meta
from wampflask.plugin.meta import SESSIONS
from wampflask.task_rows import Begun, TaskRows
from wampflask.tasks import Task

NAMES = "sessions procedures topics workers jobs tasks errors blocks follow try"
PAGES = [f"/ops/{name}" for name in ("", *NAMES.split())]
VERBS = "end blocks blocks/lift workers/drain workers/resume jobs/run tasks/cancel try follow"
ACTIONS = [f"/ops/{verb}" for verb in VERBS.split()]
KEY = "c0ffee" * 5


def sent(admin: Visitor, path: str, **fields: object) -> str:
    """The text of the page that follows a form, without its tags."""
    answer = admin.post(f"/ops/{path}", fields, follow_redirects=True)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text))


def test_pages_are_for_admins(app: Flask, realm: MemoryRealm, visitor: Visitor, admin: Visitor) -> None:
    user = Visitor(app).log_in(USER)
    for path in PAGES:
        answer = admin.get(path)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-store"), path
        assert user.get(path).status_code == 403, path
        assert visitor.get(path).status_code == 302, path


def test_actions_are_for_admins_and_need_a_token(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    user = Visitor(app).log_in(USER)
    fields = {"authid": "user:2", "minutes": 5, "confirm": "1"}
    for path in [*ACTIONS, f"/ops/follow/{KEY}/stop"]:
        assert admin.client.post(path, data=fields).status_code in (400, 422), path
        assert user.post(path, fields, form="/chat/").status_code == 403, path
    assert realm.ended == []


def test_every_tab_is_a_page(app: Flask) -> None:
    assert {endpoint for endpoint, _ in TABS} <= set(app.view_functions)


def test_only_admins_have_the_link(app: Flask, realm: MemoryRealm, visitor: Visitor, admin: Visitor) -> None:
    assert 'href="/ops/"' in admin.get("/").text
    assert 'href="/ops/"' not in visitor.get("/").text
    assert 'href="/ops/"' not in Visitor(app).log_in(USER).get("/").text


def test_sessions_are_filtered_and_named(realm: MemoryRealm, admin: Visitor) -> None:
    realm.page(user=1, role="admin")
    page = realm.page(authid=f"visitor:{KEY}")
    page.subscribe("polls.question.update.7")
    text = admin.get("/ops/sessions?role=admin").text
    assert "admin@example.org" in text
    assert "visitor:c0ff" not in text
    assert "visitor:c0ff…" in admin.get("/ops/sessions?text=visitor:c0").text
    one = admin.get(f"/ops/sessions/{page.session}").text
    assert "polls.\u200bquestion.\u200bupdate.\u200b7" in one
    assert admin.get("/ops/sessions/99").status_code == 404
    assert "No session matches." in admin.get("/ops/sessions?text=nobody").text
    for odd in ("?page=-1", "?page=9999999999", "?observed=-3", "?sort=no", "?text=%1b", "?role=<b>"):
        assert admin.get(f"/ops/sessions{odd}").status_code == 200, odd


def test_words_that_must_be_known_are_not_shown(realm: MemoryRealm, admin: Visitor) -> None:
    """Who knows a player's id controls it: it stands in its QR code alone."""
    realm.answer(f"player.{KEY}.status", dict)
    assert "player.\u200bc0ff…\u200b.\u200bstatus".replace("…\u200b", "…") in admin.get("/ops/procedures").text
    for path in PAGES:
        assert KEY not in admin.get(path).text
    assert contract.without_keys("polls.question.update.17") == "polls.question.update.17"
    assert contract.without_keys('{"number": 1795305465134012}') == '{"number": 1795305465134012}'


def test_without_a_router_the_pages_say_so(realm: MemoryRealm, admin: Visitor) -> None:
    realm.disconnect()
    for path in ("", "sessions", "procedures", "topics", "workers", "errors"):
        answer = admin.get(f"/ops/{path}")
        assert (answer.status_code, "The router does not answer." in answer.text) == (200, True)


def test_a_router_without_an_inventory_is_told_apart(realm: MemoryRealm, admin: Visitor) -> None:
    assert realm.call(SESSIONS, [], {"limit": 0}, None)["rows"] == []


# -- ending and blocking


def test_sessions_are_ended_after_a_question(
    realm: MemoryRealm, admin: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        asked = admin.post("/ops/end", {"session": 17, "reason": "<b>"})
        assert (asked.status_code, realm.ended) == (200, [])
        assert "Disconnect session 17?" in asked.text
        assert "&lt;b&gt;" in asked.text
        assert "Disconnected session 17." in sent(admin, "end", session=17, reason="Too loud.", confirm=1)
        sent(admin, "end", authid="user:2", confirm=1)
        sent(admin, "end", role="visitor", confirm=1)
    whose = [getattr(who, "name", who) for who, _, _ in realm.ended]
    assert whose == [17, "user:2", "visitor"]
    assert realm.ended[0][1:] == ("wampflask.close.disconnected", "Too loud.")
    assert "Operator admin@example.org disconnected 'session 17', reason: 'Too loud.'" in caplog.text


def test_what_cannot_be_ended(realm: MemoryRealm, admin: Visitor) -> None:
    workers: tuple[dict[str, object], ...] = ({"role": "backend"}, {"authid": "backend"})
    unclear: tuple[dict[str, object], ...] = ({}, {"session": "x"}, {"session": 1, "role": "user"}, {"session": -1})
    for fields in workers:
        assert admin.post("/ops/end", {**fields, "confirm": "1"}).status_code == 409, fields
    for fields in unclear:
        assert admin.post("/ops/end", {**fields, "confirm": "1"}).status_code == 422, fields
    assert realm.ended == []


def test_a_block_holds_also_for_a_fresh_ticket_until_it_is_lifted(
    app: Flask, realm: MemoryRealm, visitor: Visitor, admin: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    who = visitor.get("/wamp/ticket").json["authid"]  # type: ignore[index]
    asked = sent(admin, "blocks", authid=who, minutes=5, reason="Too loud.")
    assert f"Block {who} for 5 minutes?" in asked
    assert visitor.get("/wamp/ticket").status_code == 200
    with caplog.at_level(logging.WARNING):
        assert "is blocked for 5 minutes." in sent(
            admin, "blocks", authid=who, minutes=5, reason="Too loud.", confirm=1
        )
    assert f"Operator admin@example.org blocked '{who}' for 5 minutes, reason: 'Too loud.'" in caplog.text
    assert realm.ended == [(who, "wampflask.close.blocked", "Too loud.")]
    refused = visitor.get("/wamp/ticket")
    assert (refused.status_code, refused.json["message"]) == (403, "Too loud.")  # type: ignore[index]
    assert Visitor(app).get("/wamp/ticket").status_code == 200, "a block is for one person"
    assert who in admin.get("/ops/blocks").text
    assert "may connect again" in sent(admin, "blocks/lift", authid=who)
    assert visitor.get("/wamp/ticket").status_code == 200
    assert admin.post("/ops/blocks/lift", {"authid": who}).status_code == 409


NOT_BLOCKED: list[tuple[dict[str, object], str]] = [
    ({"authid": "", "minutes": 5}, "Enter an authid"),
    ({"authid": "nobody", "minutes": 5}, "Enter an authid"),
    ({"authid": "backend", "minutes": 5}, "Enter an authid"),
    ({"authid": "user:2", "minutes": 0}, "Enter 1 to"),
    ({"authid": "user:2", "minutes": "soon"}, "Not a valid integer"),
    ({"authid": "user:1", "minutes": 5}, "That is you"),
    ({"authid": "user:2", "minutes": 5, "reason": "x" * 201}, "200"),
]


def test_what_cannot_be_blocked(realm: MemoryRealm, admin: Visitor) -> None:
    for fields, why in NOT_BLOCKED:
        answer = admin.post("/ops/blocks", {**fields, "confirm": "1"})
        assert (answer.status_code, why in answer.text) == (422, True), fields
    assert realm.ended == []


# -- by hand


def test_a_call_by_hand(realm: MemoryRealm, admin: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    realm.answer("demo.add", lambda *args, **kwargs: {"args": list(args), "kwargs": kwargs})
    with caplog.at_level(logging.WARNING):
        text = admin.post(
            "/ops/try", {"verb": "call", "uri": "demo.add", "args": '[1, "<i>"]', "kwargs": '{"a": null}'}
        ).text
    assert "&lt;i&gt;" in text
    assert "null" in text
    assert "Operator admin@example.org did call demo.add by hand" in caplog.text
    assert "wamp.error.no_such_procedure" in sent(admin, "try", verb="call", uri="demo.nothing")
    assert "cannot be sent" in sent(admin, "try", verb="call", uri="demo.add", kwargs='{"procedure": 1}')


def test_a_publication_by_hand(realm: MemoryRealm, admin: Visitor) -> None:
    page = realm.page()
    page.subscribe("demo.bam")
    assert "The router has it." in sent(admin, "try", verb="publish", uri="demo.bam", args="[1]", kwargs='{"b": 2}')
    assert [(event.args, event.kwargs) for event in page.heard] == [([1], {"b": 2})]


NOT_SENT: list[tuple[dict[str, object], str]] = [
    ({"uri": ""}, "Enter a URI"),
    ({"uri": "wamp.session.get"}, "reserved"),
    ({"uri": "wampflask.router.hand_over"}, "reserved"),
    ({"uri": "No Such"}, "not a strict WAMP URI"),
    ({"uri": "demo.bam", "args": "{}"}, "Enter an array"),
    ({"uri": "demo.bam", "args": "[1"}, "not JSON. Line 1"),
    ({"uri": "demo.bam", "args": "[NaN]"}, "NaN is not JSON"),
    ({"uri": "demo.bam", "kwargs": "[]"}, "Enter an object"),
    ({"uri": "demo.bam", "args": "[" * 3000 + "]" * 3000}, "JSON"),
    ({"uri": "demo.bam", "args": "[99999999999999999999]"}, "args"),
]


def test_what_cannot_be_sent_by_hand(realm: MemoryRealm, admin: Visitor) -> None:
    """The router answers with people's cookies, and workers take orders: both are out of reach."""
    for fields, why in NOT_SENT:
        answer = admin.post("/ops/try", {"verb": "call", **fields})
        assert (answer.status_code, why in answer.text) == (422, True), fields
    assert realm.published == []


# -- following


def test_a_topic_is_followed_and_read_without_scripts(realm: MemoryRealm, admin: Visitor) -> None:
    answer = admin.post("/ops/follow", {"topic": "demo.bam", "match": "exact"})
    place = answer.headers["Location"]
    wamp_page = realm.page()
    wamp_page.subscribe("demo.bam")
    sent(admin, "try", verb="publish", uri="demo.bam", args='["<script>", "' + KEY + '"]')
    text = admin.get(place).text
    assert "&lt;script&gt;" in text
    assert KEY not in text
    assert ">1</span> events" in text
    assert "Stopped." in admin.post(f"{place}/stop", {}, follow_redirects=True).text
    assert admin.get(place).status_code == 404


NOT_FOLLOWED = [("wamp.session.on_join", "exact"), ("w", "prefix"), ("", "prefix"), ("..", "wildcard")]


def test_what_cannot_be_followed(realm: MemoryRealm, admin: Visitor) -> None:
    for topic, match in NOT_FOLLOWED:
        assert admin.post("/ops/follow", {"topic": topic, "match": match}).status_code == 422, topic


# -- errors


def test_an_error_is_found_by_the_id_that_a_reader_reads_out(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    with app.app_context():
        number = wamp.log_error("at GET /polls/", LookupError("with a secret in its text"))
    page = admin.get(f"/ops/errors?id={number[:6]}").text
    assert number in page
    assert "LookupError" in page
    assert "at GET /polls/" in page
    assert "secret" not in page
    assert "No worker has an error with this id" in admin.get("/ops/errors?id=zzzz").text
    assert number in admin.get("/ops/").text


# -- jobs and tasks


def test_a_job_is_run_by_hand_once_at_a_time(
    app: Flask, realm: MemoryRealm, admin: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    page = admin.get("/ops/jobs").text
    assert "monitor.history" in page
    assert "none yet" in page
    with caplog.at_level(logging.WARNING):
        assert "The job monitor.history runs now." in sent(admin, "jobs/run", name="monitor.history")
    assert "Operator admin@example.org ran the job 'monitor.history'" in caplog.text
    for thread in threading.enumerate():
        if thread.name == "wampflask-wampflask-job":
            thread.join(20)
    with app.app_context():
        assert {job.name: job.last_run and job.last_run.outcome for job in wamp.jobs()}["monitor.history"] == "done"
    assert re.search(r"done in \d\.\d s", admin.get("/ops/jobs").text)
    runs = runs_of(app.extensions["wamp"])
    claim = runs.claim_now("monitor.history", overlap=False)
    assert admin.post("/ops/jobs/run", {"name": "monitor.history"}).status_code == 409
    assert admin.post("/ops/jobs/run", {"name": "no.such"}).status_code == 409
    assert admin.post("/ops/jobs/run", {}).status_code == 422
    assert claim.key is not None
    runs.finish([(claim.key, runs.now(), "failed", "c0ffee00")])
    assert 'href="/ops/errors?id=c0ffee00"' in admin.get("/ops/jobs").text
    assert "1 went wrong last time" in admin.get("/ops/").text


def test_tasks_are_seen_without_their_arguments_and_cancelled_after_a_question(
    app: Flask, realm: MemoryRealm, admin: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        task = conversions.append("convert", "0", "holiday.avi")
        TaskRows(realm.store).begin(task.id, "worker")
        TaskRows(realm.store).note("worker", [(_begun(task), 0.4, "Converting")], [task.id])
    page = admin.get("/ops/tasks").text
    assert "holiday" not in page
    assert 'value="40"' in page
    assert "Converting" in page
    assert "0 waiting, 1 running" in re.sub(r"\s+", " ", page)
    assert "no worker takes them" not in page
    assert task.id[:8] not in admin.get("/ops/tasks?state=failed&queue=media").text
    assert task.id[:8] in admin.get("/ops/tasks?state=no&queue=no").text
    asked = admin.post("/ops/tasks/cancel", {"task": task.id}).text
    assert "Cancel the task convert of the queue media?" in asked
    with app.app_context():
        assert not task.status().cancelling
    with caplog.at_level(logging.WARNING):
        assert "Cancelled the task convert of the queue media." in sent(admin, "tasks/cancel", task=task.id, confirm=1)
    assert f"Operator admin@example.org cancelled the task convert of the queue media, {task.id[:8]}…" in caplog.text
    with app.app_context():
        assert task.status().cancelling
        TaskRows(realm.store).end(_begun(task), "worker", "cancelled")
    assert admin.post("/ops/tasks/cancel", {"task": task.id}).status_code == 409
    assert admin.post("/ops/tasks/cancel", {"task": "0" * 32}).status_code == 409


def test_tasks_that_nobody_takes_are_worth_a_word(
    app: Flask, realm: MemoryRealm, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        conversions.append("convert", "0", "holiday.avi")
    assert "no worker takes them" not in admin.get("/ops/tasks").text
    monkeypatch.setattr("wampflask.apps.ops.live.IDLE", -1.0)
    assert "no worker takes them" in admin.get("/ops/tasks").text


def _begun(task: Task) -> Begun:
    return Begun(task.id, task.queue, task.name, [], {}, 1, 1)


def test_without_the_librarys_database_the_pages_say_so(instance: Path, tmp_path: Path) -> None:
    app = make(instance, WAMP_DATABASE=f"sqlite:///{tmp_path / 'missing' / 'wamp.db'}")
    with in_memory(app):
        admin = Visitor(app).log_in(ADMIN)
        for path in PAGES:
            assert admin.get(path).status_code == 200, path
        for path in ("", "jobs", "tasks"):
            assert "The database does not answer." in admin.get(f"/ops/{path}").text, path
        assert admin.post("/ops/jobs/run", {"name": "monitor.history"}).status_code == 409
        assert admin.post("/ops/tasks/cancel", {"task": "0" * 32}).status_code == 409
    with app.app_context():
        db.engine.dispose()


def test_workers_of_two_releases_are_told_apart(
    app: Flask, realm: MemoryRealm, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        [worker] = wamp.meta.workers()
    assert worker.release == app.config["WAMP_RELEASE"] == of_files()
    assert "releases serve" not in admin.get("/ops/workers").text
    assert worker.release in admin.get("/ops/workers").text
    other = replace(worker, id="f" * 16, pid=worker.pid + 1, release="2.0")
    monkeypatch.setattr(Meta, "workers", lambda _self: (worker, other))
    assert "Workers of 2 releases serve at once." in admin.get("/ops/workers").text
    assert "Workers of 2 releases serve at once." in admin.get("/ops/").text
