"""``/metrics``: for who has the token, and for admins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from tests.apps.conftest import make
from tests.apps.monitor.hosts import NASTY, FakeHost
from tests.apps.visiting import ADMIN, USER, Visitor
from wampflask.apps.extensions import db
from wampflask.apps.monitor import service
from wampflask.in_memory import MemoryRealm, in_memory

TOKEN = "a token of sixteen characters"


@pytest.fixture
def app(instance: Path) -> Iterator[Flask]:
    app = make(instance, WAMPFLASK_METRICS_TOKEN=TOKEN)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def realm(app: Flask) -> Iterator[MemoryRealm]:
    with in_memory(app) as realm:
        yield realm


def scrape(app: Flask, token: str = TOKEN) -> tuple[int, dict[str, dict[str, float]]]:
    """By metric, its values by host's name, disk or process."""
    answer = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {token}"})
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.text) if answer.status_code == 200 else ():
        for sample in family.samples:
            labels = sample.labels
            found.setdefault(sample.name, {})[labels.get("mount") or labels.get("name", "")] = sample.value
    return answer.status_code, found


def test_hosts_and_the_sites_own_counters(app: Flask, realm: MemoryRealm) -> None:
    host = FakeHost(app, NASTY).enrol()
    host.append(realm, [host.sample(cpu=0.75)])
    with app.app_context():
        service.set_presence(db.session(), {host.host: True})
        db.session.commit()
    FakeHost(app, "silent").enrol()
    code, found = scrape(app)
    assert code == 200
    assert found["wampflask_host_up"] == {NASTY: 1, "silent": 0}
    assert found["wampflask_host_cpu_ratio"] == {NASTY: 0.75}
    assert found["wampflask_host_disk_ratio"] == {"/": 0.5}
    assert found["wampflask_alerts_unresolved"] == {"": 0}
    assert found["wampflask_ready"] == {"": 1}


def test_without_the_token(app: Flask, realm: MemoryRealm) -> None:
    for token in ("", "wrong", TOKEN[:-1], TOKEN + "x"):
        assert scrape(app, token)[0] == 401
    assert Visitor(app).log_in(USER).get("/metrics").status_code == 401
    assert Visitor(app).log_in(ADMIN).get("/metrics").status_code == 200
