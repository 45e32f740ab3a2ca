"""What pages and programs are told of hosts: the newest state, however a host was edited, and by what it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from tests.apps.monitor.hosts import FakeHost
from wampflask.apps.extensions import db
from wampflask.apps.monitor import contract, live, service
from wampflask.apps.monitor.models import Host
from wampflask.apps.monitor.settings.service import edit_many
from wampflask.in_memory import MemoryRealm
from wampflask.permissions import compile_rules


@pytest.fixture
def host(app: Flask, realm: MemoryRealm) -> FakeHost:
    return FakeHost(app).enrol()


def sent(realm: MemoryRealm, uri: str) -> list[Any]:
    return [published.args[0] for published in realm.published if published.topic == uri]


def edit(app: Flask, realm: MemoryRealm, host: FakeHost, **values: Any) -> None:
    realm.published.clear()
    with app.app_context():
        edit_many(db.session(), [service.get_host(db.session(), host.host)], values)
        db.session.commit()


def test_a_new_host_is_shown_at_once(app: Flask, realm: MemoryRealm) -> None:
    host = FakeHost(app).enrol()
    [event] = sent(realm, "monitor.hosts")
    row = event["rows"][host.host]
    assert set(row) == set(contract.ShownHost.__annotations__)
    assert (row["title"], row["online"], row["last_seen"], row["version"]) == ("web1", False, None, 1)
    assert realm.invoke("monitor.hosts").args[0] == {host.host: row}


def test_an_edit_raises_the_version_and_reaches_every_page(app: Flask, realm: MemoryRealm, host: FakeHost) -> None:
    edit(app, realm, host, show_cpus=False, labels="db")
    [event] = sent(realm, "monitor.hosts")
    assert event["gone"] == []
    assert (event["rows"][host.host]["show_cpus"], event["rows"][host.host]["labels"]) == (False, ["db"])
    [config] = sent(realm, f"monitor.clientconfig.{host.host}")
    assert set(config) == set(contract.ShownConfig.__annotations__ | contract.Config.__annotations__)
    assert (config["version"], config["show_cpus"], config["labels"]) == (2, False, ["db"])
    assert realm.invoke(f"monitor.clientconfig.{host.host}").args[0] == config


def test_a_note_is_no_new_configuration(app: Flask, realm: MemoryRealm, host: FakeHost) -> None:
    edit(app, realm, host, notes="behind the door")
    with app.app_context():
        assert service.get_host(db.session(), host.host).config_version == 1


def test_who_comes_and_goes_is_told_with_the_state_of_its_settings(
    app: Flask, realm: MemoryRealm, host: FakeHost
) -> None:
    for is_online in (True, False):
        realm.published.clear()
        with app.app_context():
            service.set_presence(db.session(), {host.host: is_online})
            db.session.commit()
        [presence] = sent(realm, f"monitor.presence.{host.host}")
        assert set(presence) == set(contract.Presence.__annotations__)
        assert (presence["host"], presence["online"]) == (host.host, is_online)
        [event] = sent(realm, "monitor.hosts")
        assert event["rows"][host.host]["online"] is is_online
        [config] = sent(realm, f"monitor.clientconfig.{host.host}")
        assert config["state"] == ("applying" if is_online else "offline")


def test_there_is_no_such_host(app: Flask, realm: MemoryRealm) -> None:
    nobody = "f" * 32
    assert realm.invoke(f"monitor.clientconfig.{nobody}").args[0] == {"host": nobody, "removed": True}
    assert realm.invoke(f"monitor.presence.{nobody}").args[0] is None


def test_many_hosts_are_one_query(app: Flask, realm: MemoryRealm) -> None:
    many = [FakeHost(app, f"web{number}").enrol() for number in range(5)]
    wanted = sorted(host.host for host in many[:3])
    with app.app_context(), statements() as seen:
        assert sorted(row["host"] for row in live.hosts(wanted)) == wanted
        assert len(live.hosts(None)) == 5
    assert len(seen) == 2
    assert not any("host.latest" in statement for statement in seen), "samples are long, and not shown from here"


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_a_report_is_no_news_of_a_host(app: Flask, realm: MemoryRealm, host: FakeHost) -> None:
    realm.published.clear()
    host.append(realm, [host.sample() for _ in range(3)])
    assert realm.published == []
    with app.app_context():
        assert db.session.scalar(select(Host.latest)) is not None


def test_the_contract_says_who_may_see_them(app: Flask) -> None:
    declared = [*live.hosts.permissions(), *live.clientconfig.permissions(), *live.presence.permissions()]
    said = {rule["uri"]: rule for rule in compile_rules(contract.PERMISSIONS)}
    assert compile_rules(declared) == [said[rule["uri"]] for rule in compile_rules(declared)]
