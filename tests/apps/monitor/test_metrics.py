"""The declared metrics are the same everywhere: in the contract, in samples, in rules, in settings."""

from __future__ import annotations

from typing import get_type_hints

import pytest

from wampflask.apps.monitor import contract
from wampflask.apps.monitor.alerts.models import Metric
from wampflask.apps.monitor.intake import samples
from wampflask.apps.monitor.metrics import GROUPS, LEVELS, METRICS, SWITCHES, series_of, visible
from wampflask.apps.monitor.models import Host

SAMPLE = {
    "cpu": 0.5,
    "memory": {"ratio": 0.25},
    "disks": {"/": {"ratio": 0.5}, "/home": {"ratio": 0.9}},
    "network": {"eth0": {"received": 1.0, "sent": 2.0}, "eth1": {"received": 3.0, "sent": 4.0}},
    "temperatures": {"core 0": 40.0, "core 1": 50.0},
    "processes": 141,
}


def test_every_measured_field_belongs_to_one_switch() -> None:
    fields = [field for group in GROUPS.values() for field in group.fields]
    about = {"host", "name", "ip", "time", "interval", "seq", "version", "failed"}
    assert len(fields) == len(set(fields))
    assert set(fields) == set(get_type_hints(contract.Sample)) - about == set(samples._GROUPS) - {"failed"}


def test_every_switch_is_a_setting() -> None:
    assert set(SWITCHES) < set(contract.DEFAULT_CONFIG)
    assert all(hasattr(Host, switch) for switch in SWITCHES)


def test_rules_are_about_metrics() -> None:
    assert {metric.value for metric in Metric} - {"offline"} <= set(METRICS)
    assert all(metric.label for metric in Metric)


def test_the_numbers_of_a_sample() -> None:
    assert series_of(SAMPLE) == {
        "cpu": 0.5, "memory": 0.25, "disk:/": 0.5, "disk:/home": 0.9, "network:received": 4.0, "network:sent": 6.0,
        "temperature": 50.0, "processes": 141.0,
    }  # fmt: skip
    assert METRICS["disk"].worst(SAMPLE) == 0.9
    assert METRICS["swap"].worst(SAMPLE) is None


def test_what_is_switched_off_is_not_visible() -> None:
    shown = visible(SAMPLE, {"show_network": False, "show_disk": True})
    assert SAMPLE.keys() - shown.keys() == {"network"}


@pytest.mark.parametrize(
    ("ratio", "level"), [(None, "good"), (0.74, "good"), (0.75, "warn"), (0.89, "warn"), (0.9, "bad")]
)
def test_levels(ratio: float | None, level: str) -> None:
    assert LEVELS.of(ratio) == level
