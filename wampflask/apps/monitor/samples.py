"""What comes from agents, checked: a sample is strangers' data until it went through :func:`checked`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .models import MonitorError, one_line
from .wire import number, whole

BATCH_MAX = 200
NAMES_MAX = 64
NAME_MAX = 120
CORES_MAX = 1024
DISK_SERIES = 8
BIGGEST = 2.0**63
EARLIEST, LATEST = 1_600_000_000.0, 10_000_000_000.0
"""Seconds since the epoch that a clock may show: 2020 to 2286."""
LARGEST = 2**53 - 1
"""Whole numbers up to here are the same in every language."""

Values = dict[str, Any]


def checked_batch(samples: object) -> list[Values]:
    """Samples of one handover, by rising ``seq``.

    :raises MonitorError: naming what is wrong.
    """
    if not isinstance(samples, list) or not 0 < len(samples) <= BATCH_MAX:
        raise MonitorError(f"samples must be a list of 1 to {BATCH_MAX}.")
    found = [checked(sample) for sample in samples]
    numbers: list[Any] = [whole(sample.get("seq"), 1, LARGEST) for sample in found]
    if None in numbers:
        raise MonitorError("seq must be a whole number from 1 on.")
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise MonitorError("seq must rise.")
    return found


def checked(sample: object) -> Values:
    """A sample with what the contract knows, in the contract's types; the rest is left out.

    :raises MonitorError: naming what is wrong.
    """
    if not isinstance(sample, dict):
        raise MonitorError("A sample must be an object.")
    time, interval = number(sample.get("time"), EARLIEST, LATEST), _finite(sample.get("interval"), "interval")
    if time is None or not 0 < interval <= 86_400:  # noqa: PLR2004 - a day
        raise MonitorError("time or interval cannot be.")
    found: Values = {"time": time, "interval": interval, "version": whole(sample.get("version", 0), 0, LARGEST)}
    if found["version"] is None:
        raise MonitorError("version must be a whole number.")
    if "seq" in sample:
        found["seq"] = sample["seq"]
    for name, check in _GROUPS.items():
        if name in sample:
            found[name] = check(sample[name], name)
    return found


def series_of(sample: Mapping[str, Any]) -> dict[str, float]:
    """What is kept of a sample for charts: ratios, sums over devices, single numbers."""
    single = (("cpu", sample.get("cpu")), ("load", (sample.get("load") or [None])[0]))
    found: dict[str, float] = {name: value for name, value in single if value is not None}
    for name in ("memory", "swap"):
        if name in sample:
            found[name] = sample[name]["ratio"]
    disks = sample.get("disks", {})
    for name, disk in list(disks.items())[:DISK_SERIES]:
        found[f"disk:{name}"] = disk["ratio"]
    for group, fields in (("disk_io", ("read", "written")), ("network", ("received", "sent"))):
        for field in fields if sample.get(group) else ():
            found[f"{group}:{field}"] = round(sum(device[field] for device in sample[group].values()), 1)
    if sample.get("temperatures"):
        found["temperature"] = max(sample["temperatures"].values())
    if "processes" in sample:
        found["processes"] = float(sample["processes"])
    return found


def _finite(value: object, name: str) -> float:
    found = number(value, -BIGGEST, BIGGEST)
    if found is None:
        raise MonitorError(f"{name} must be a number, and not too large.")
    return found


def _ratio(value: object, name: str) -> float:
    found = number(value, 0, 1)
    if found is None:
        raise MonitorError(f"{name} must be 0 to 1.")
    return found


def _numbers(value: object, name: str) -> list[float]:
    if not isinstance(value, list) or len(value) > CORES_MAX:
        raise MonitorError(f"{name} must be a list of numbers.")
    return [_finite(one, name) for one in value]


def _ratios(value: object, name: str) -> list[float]:
    return [_ratio(one, name) for one in _numbers(value, name)]


def _record(*fields: str) -> Callable[[object, str], dict[str, float]]:
    def check(value: object, name: str) -> dict[str, float]:
        if not isinstance(value, dict):
            raise MonitorError(f"{name} must be an object.")
        return {
            field: (_ratio if field == "ratio" else _finite)(value.get(field), f"{name}.{field}") for field in fields
        }

    return check


def _by_name(check: Callable[[object, str], Any]) -> Callable[[object, str], dict[str, Any]]:
    def checked_names(value: object, name: str) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > NAMES_MAX:
            raise MonitorError(f"{name} must be an object of at most {NAMES_MAX} names.")
        return {one_line(str(key), NAME_MAX): check(one, name) for key, one in value.items()}

    return checked_names


def _reasons(value: object, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > NAMES_MAX:
        raise MonitorError(f"{name} must be an object.")
    return {one_line(str(key), NAME_MAX): one_line(str(text), 300) for key, text in value.items()}


_GROUPS: dict[str, Callable[[object, str], Any]] = {
    "cpu": _ratio,
    "cpus": _ratios,
    "load": _numbers,
    "memory": _record("total", "used", "available", "ratio"),
    "swap": _record("total", "used", "ratio"),
    "disks": _by_name(_record("total", "used", "free", "ratio")),
    "disk_io": _by_name(_record("read", "written", "reads", "writes")),
    "network": _by_name(_record("received", "sent", "errors")),
    "temperatures": _by_name(_finite),
    "uptime": _finite,
    "processes": _finite,
    "failed": _reasons,
}


def newest(samples: Iterable[Values]) -> Values:
    """The latest by time."""
    return max(samples, key=lambda sample: sample["time"])
