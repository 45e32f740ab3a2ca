"""Who is online: by sessions and by reports that stay away, on a clock of the test's own."""

from __future__ import annotations

import pytest

from wampflask.apps.monitor.presence import GRACE, Known, Presence

HOST = "a" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def presence(clock: Clock) -> Presence:
    made = Presence(clock)
    clock.now += GRACE + 1
    return made


def known(*, online: bool, disabled: bool = False, frequency: float = 5.0) -> Known:
    return Known(HOST, online, disabled, frequency)


def test_online_with_its_session_and_offline_at_once_without(presence: Presence) -> None:
    presence.joined(1, HOST)
    assert presence.changes([known(online=False)]) == {HOST: True}
    assert presence.left(1)
    assert presence.changes([known(online=True)]) == {HOST: False}
    assert not presence.left(1)


def test_the_old_session_may_end_after_the_new_one_began(presence: Presence) -> None:
    presence.joined(1, HOST)
    presence.joined(2, HOST)
    presence.left(1)
    assert presence.changes([known(online=True)]) == {}


def test_three_missed_reports(presence: Presence, clock: Clock) -> None:
    presence.joined(1, HOST)
    presence.heard(HOST, {"cpu": 0.5}, 5.0)
    clock.now += 15.5
    assert presence.changes([known(online=True)]) == {}
    clock.now += 1
    assert presence.changes([known(online=True)]) == {HOST: False}
    presence.heard(HOST, {"cpu": 0.5}, 5.0)
    assert presence.changes([known(online=False)]) == {HOST: True}


def test_a_disabled_host_need_not_report(presence: Presence, clock: Clock) -> None:
    presence.joined(1, HOST)
    presence.heard(HOST, {}, 1.0)
    clock.now += 1000
    assert presence.changes([known(online=True, disabled=True)]) == {}


def test_when_nobody_looks_any_more_reports_may_come_at_their_own_pace(presence: Presence, clock: Clock) -> None:
    presence.joined(1, HOST)
    presence.watch({HOST})
    presence.heard(HOST, {}, 1.0)
    clock.now += 4.5
    assert presence.changes([known(online=True, frequency=60)]) == {HOST: False}
    presence.watch(set())
    clock.now += 170
    assert presence.changes([known(online=True, frequency=60)]) == {}
    clock.now += 12
    assert presence.changes([known(online=True, frequency=60)]) == {HOST: False}


def test_after_a_restart_of_the_router_agents_have_time_to_come_back(presence: Presence, clock: Clock) -> None:
    presence.joined(1, HOST)
    presence.begin()
    assert presence.changes([known(online=True)]) == {}
    clock.now += GRACE + 1
    assert presence.changes([known(online=True)]) == {HOST: False}


def test_who_was_there_since_is_offline_at_once_when_it_leaves(presence: Presence) -> None:
    presence.begin()
    presence.joined(1, HOST)
    presence.left(1)
    assert presence.changes([known(online=True)]) == {HOST: False}


def test_samples_are_of_hosts_that_are_there(presence: Presence) -> None:
    presence.heard(HOST, {"cpu": 1.0}, 5.0)
    assert presence.samples() == {}
    presence.joined(1, HOST)
    presence.heard(HOST, {"cpu": 1.0}, 5.0)
    assert presence.samples() == {HOST: {"cpu": 1.0}}
