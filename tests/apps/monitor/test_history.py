"""History: each sample once, averaged in steps, bounded."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from tests.apps.monitor.hosts import FakeHost
from wampflask import CallFailed, NotAuthorized
from wampflask.apps.extensions import db, wamp
from wampflask.apps.monitor import service
from wampflask.apps.monitor.intake import history
from wampflask.apps.monitor.intake.models import Reading, Rollup
from wampflask.apps.monitor.models import Host
from wampflask.in_memory import MemoryRealm


@pytest.fixture
def host(app: Flask, realm: MemoryRealm) -> FakeHost:
    return FakeHost(app).enrol()


def readings(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(Reading)) or 0


def rollup(app: Flask, span: int) -> list[Any]:
    with app.app_context():
        return list(db.session.execute(select(Rollup.start, Rollup.data).where(Rollup.span == span)).all())


def test_a_sample_is_stored_once_however_often_it_is_handed_over(
    app: Flask, realm: MemoryRealm, host: FakeHost
) -> None:
    start = time.time() - 100
    batch = [host.sample(at=start + number) for number in range(5)]
    assert host.append(realm, batch) == 5
    assert host.append(realm, batch) == 5
    assert host.append(realm, [*batch[3:], host.sample(at=start + 6)]) == 6
    assert readings(app) == 6
    assert sum(data["cpu"][0] for _, data in rollup(app, 7200)) == 6


def test_a_batch_that_many_hand_over_at_once_is_stored_once(app: Flask, realm: MemoryRealm, host: FakeHost) -> None:
    batch = [host.sample(at=time.time() - 50 + number) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: host.append(realm, [dict(one) for one in batch]), range(8)))
    assert answers == [40] * 8
    assert readings(app) == 40
    assert sum(data["cpu"][0] for _, data in rollup(app, 600)) == 40


def test_averages_have_least_and_greatest(app: Flask, realm: MemoryRealm, host: FakeHost) -> None:
    start = (time.time() - 1200) // 600 * 600
    host.append(realm, [host.sample(at=start + 10 * number, cpu=number / 10) for number in range(3)])
    host.append(realm, [host.sample(at=start + 10 * number, cpu=number / 10) for number in range(3, 6)])
    [(begin, data)] = rollup(app, 60)
    assert begin == start
    assert data["cpu"] == [6, pytest.approx(1.5), 0, 0.5]
    with app.app_context():
        found = history.chart(db.session(), service.get_host(db.session(), host.host), "24h")
    assert found["series"]["cpu"] == {"mean": [0.25], "min": [0], "max": [0.5]}


def test_late_samples_fill_their_own_time(app: Flask, realm: MemoryRealm, host: FakeHost) -> None:
    now = time.time()
    host.append(realm, [host.sample(at=now - 7 * 3600), host.sample(at=now - 10), host.sample(at=now - 5)])
    assert readings(app) == 2  # raw is kept for an hour only
    assert len(rollup(app, 60)) >= 2
    with app.app_context():
        latest = db.session.scalar(select(Host.latest)) or {}
    assert latest["time"] == pytest.approx(now - 5)


def test_a_wrong_clock_is_put_right(app: Flask, realm: MemoryRealm, host: FakeHost) -> None:
    wrong = time.time() + 86_400
    host.append(realm, [host.sample(at=wrong - 2), host.sample(at=wrong)], clock=wrong)
    with app.app_context():
        newest = db.session.scalar(select(func.max(Reading.at))) or 0
    assert abs(newest / 1000 - time.time()) < 5


def test_what_is_too_old_is_forgotten(app: Flask, realm: MemoryRealm, host: FakeHost) -> None:
    host.append(realm, [host.sample()])
    with app.app_context():
        db.session.execute(update(Reading).values(at=Reading.at - 3_700_000))
        db.session.execute(update(Rollup).where(Rollup.span == 60).values(start=Rollup.start - 26 * 3600))
        db.session.commit()
        assert wamp.run_job("monitor.history").outcome == "done"
    assert readings(app) == 0
    assert rollup(app, 60) == []
    assert len(rollup(app, 600)) == 1


def test_an_hour_at_one_a_second_is_a_chart_of_bounded_size(app: Flask, realm: MemoryRealm, host: FakeHost) -> None:
    now = time.time()
    for first in range(0, 3500, 100):
        host.append(realm, [host.sample(at=now - 3500 + first + number) for number in range(100)])
    with app.app_context():
        found = history.chart(db.session(), service.get_host(db.session(), host.host), "1h")
    assert 600 <= len(found["times"]) <= history.POINTS + 1
    assert found["span"] == 5
    assert set(found["series"]) == {"cpu", "load", "memory", "disk:/"}


@pytest.mark.parametrize(
    "change",
    [
        {"time": 1e300}, {"time": "now"}, {"time": 5}, {"interval": 0}, {"cpu": 7}, {"cpu": "x"}, {"cpus": {}},
        {"memory": []}, {"memory": {"total": 1}}, {"disks": {"/": {"total": 1, "used": 1, "free": 0, "ratio": 2}}},
        {"disks": {str(number): {} for number in range(100)}}, {"load": [True]}, {"seq": 0}, {"seq": "1"},
        {"seq": None}, {"version": 1.5},
    ],
)  # fmt: skip
def test_samples_that_cannot_be_are_refused_with_the_reason(
    app: Flask, realm: MemoryRealm, host: FakeHost, change: dict[str, Any]
) -> None:
    with pytest.raises(CallFailed) as refused:
        host.append(realm, [{**host.sample(), **change}])
    assert refused.value.uri == "monitor.error.invalid"
    assert readings(app) == 0


@pytest.mark.parametrize("samples", [None, {}, [], "x", [[]], [None], [{}] * 201])
def test_what_is_no_list_of_samples(realm: MemoryRealm, host: FakeHost, samples: Any) -> None:
    with pytest.raises(CallFailed):
        host.append(realm, samples)


def test_a_removed_host_stores_nothing(app: Flask, realm: MemoryRealm) -> None:
    stranger = FakeHost(app)
    with pytest.raises(CallFailed) as refused:
        stranger.append(realm, [stranger.sample()])
    assert refused.value.uri == "monitor.error.not_found"


def test_only_agents_may_call(realm: MemoryRealm) -> None:
    with pytest.raises(NotAuthorized):
        realm.invoke("monitor.history.append", [])
