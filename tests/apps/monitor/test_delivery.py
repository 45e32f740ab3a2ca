"""An edit is brought to agents and pages at once, and what came of it is said."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from tests.apps.monitor.hosts import FakeHost
from tests.apps.visiting import Visitor
from wampflask.apps.extensions import db
from wampflask.apps.monitor import service
from wampflask.apps.monitor.models import Host
from wampflask.apps.monitor.settings.service import application
from wampflask.in_memory import MemoryRealm


@pytest.fixture
def host(app: Flask, realm: MemoryRealm) -> FakeHost:
    return FakeHost(app).enrol()


def form(**changes: str) -> dict[str, str]:
    switches = ("show_cpus", "show_memory", "show_disk", "show_network", "show_temperatures", "show_system")
    return {"frequency": "5", "handover": "10", **dict.fromkeys(switches, "y"), **changes}


def save(admin: Visitor, host: FakeHost, fields: dict[str, str]) -> str:
    page = f"/hosts/{host.host}/"
    answer = admin.post(f"{page}settings", fields, form=page, follow_redirects=True)
    return answer.text


def test_an_edit_is_in_force_when_the_page_is_back(
    app: Flask, realm: MemoryRealm, admin: Visitor, host: FakeHost
) -> None:
    host.answers(realm)
    fields = form(frequency="2.5")
    del fields["show_cpus"]
    realm.published.clear()
    page = save(admin, host, fields)
    assert re.search(r'id="settings">Settings</h2>\s*<p class="flash flash--success" id="saved" [^>]*>Applied ', page)
    assert page.count("flash--success") == 1
    [config] = host.configs
    assert (config["frequency"], config["show_cpus"], config["version"]) == (2.5, False, 2)
    told = [event.args[0] for event in realm.published if event.topic == f"monitor.clientconfig.{host.host}"]
    assert told[0]["show_cpus"] is False
    assert told[-1]["state"] == "applied"


def test_a_refusal_is_shown_with_its_reason(realm: MemoryRealm, admin: Visitor, host: FakeHost) -> None:
    host.answers(realm, version=1, reason="frequency is <b>odd</b>")
    assert "Saved. Refused by the host: frequency is &lt;b&gt;odd&lt;/b&gt;" in save(admin, host, form(frequency="7"))


def test_an_offline_host_gets_it_when_it_returns(
    app: Flask, realm: MemoryRealm, admin: Visitor, host: FakeHost
) -> None:
    assert "Saved. Will be applied when the host connects." in save(admin, host, form(frequency="7"))
    assert (host.post().json or {})["frequency"] == 7
    welcome = host.ready(realm)
    assert welcome["config"]["frequency"] == 7
    with app.app_context():
        found = service.get_host(db.session(), host.host)
        assert application(found)[0] == "applied"
        assert found.agent_version == "1.0.1"


@pytest.mark.parametrize("frequency", ["0.4", "3601", "", "nan", "soon"])
def test_a_frequency_that_cannot_be(realm: MemoryRealm, admin: Visitor, host: FakeHost, frequency: str) -> None:
    host.answers(realm)
    page = f"/hosts/{host.host}/"
    answer = admin.post(f"{page}settings", form(frequency=frequency), form=page)
    assert answer.status_code == 422
    assert host.configs == []
    [bad] = re.findall(r'<input[^>]* id="frequency"[^>]*>', answer.text)
    assert all(part in bad for part in ("autofocus", 'aria-invalid="true"', 'aria-describedby="frequency-errors"'))
    assert re.search(r'id="frequency-errors"><li>Enter (a number|0.5 to 3600 seconds)\.</li>', answer.text)
    assert answer.text.count("autofocus") == 1


def test_many_at_once_in_the_admin(app: Flask, realm: MemoryRealm, admin: Visitor) -> None:
    hosts = [FakeHost(app, f"web{number}").enrol() for number in range(12)]
    for host in hosts[:9]:
        host.answers(realm)
    with app.app_context():
        ids = ",".join(map(str, db.session.scalars(select(Host.id))))
    path = f"/admin/hosts/bulk?ids={ids}"
    fields = {"frequency": "30", "disabled": "", "show_disk": "0", "labels": "db, Paris"}
    fields |= dict.fromkeys(("show_cpus", "show_memory", "show_network", "show_temperatures", "show_system"), "")
    answer = admin.post(path, fields, form=path, follow_redirects=True)
    assert "12 hosts: 9 applied, 3 offline" in answer.text
    with app.app_context():
        rows = db.session.execute(select(Host.frequency, Host.show_disk, Host.show_cpus, Host.labels)).all()
    assert set(rows) == {(30.0, False, True, "db, paris")}


@pytest.mark.parametrize("ids", ["", "0", "x", "9" * 30, "-1", "1.5", ",,"])
def test_no_hosts_to_edit_together(realm: MemoryRealm, admin: Visitor, ids: str) -> None:
    assert admin.get(f"/admin/hosts/bulk?ids={ids}").status_code == 404


def test_one_in_the_admin(app: Flask, realm: MemoryRealm, admin: Visitor, host: FakeHost) -> None:
    host.answers(realm)
    with app.app_context():
        number = db.session.scalar(select(Host.id))
    path = f"/admin/hosts/edit/?id={number}"
    fields = form(disabled="y", name="The database", labels="", notes="")
    answer = admin.post(path, fields, form=path, follow_redirects=True)
    assert "The database: Applied" in answer.text
    assert host.configs[-1]["disabled"] is True


def test_a_removed_host_is_cut_off(app: Flask, realm: MemoryRealm, admin: Visitor, host: FakeHost) -> None:
    page = f"/hosts/{host.host}/"
    realm.published.clear()
    assert admin.post(f"{page}remove", form=page).status_code == 302
    sent = {event.topic: event.args[0] for event in realm.published}
    assert sent["monitor.hosts"] == {"rows": {}, "gone": [host.host]}
    assert sent[f"monitor.clientconfig.{host.host}"] == {"host": host.host, "removed": True}
    assert realm.revoked == [f"agent:{host.host}"]
    assert (host.post().json or {})["error"] == "token_missing"
    assert admin.get(page).status_code == 404


def test_strangers_see_nothing_and_users_change_nothing(
    app: Flask, realm: MemoryRealm, visitor: Visitor, host: FakeHost
) -> None:
    from tests.apps.visiting import USER

    page = f"/hosts/{host.host}/"
    for path in ("/dashboard/", "/dashboard/samples.json", page, f"{page}history.json"):
        assert visitor.get(path).status_code == 302
    user = Visitor(app).log_in(USER)
    assert user.get(page).status_code == 200
    assert user.post(f"{page}settings", form()).status_code == 403
    assert user.post(f"{page}remove").status_code == 403
    assert user.get("/hosts/add").status_code == 403
    assert user.get("/metrics").status_code == 401
