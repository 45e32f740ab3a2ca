"""Samples from agents. They are untrusted until :func:`checked` has read them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from wampflask.apps import wire
from wampflask.apps.errors import Invalid
from wampflask.apps.text import one_line

BATCH_MAX = 200
NAMES_MAX = 64
NAME_MAX = 120
CORES_MAX = 1024
BIGGEST = 2.0**63
EARLIEST, LATEST = 1_600_000_000.0, 10_000_000_000.0
"""Seconds since the epoch that a sample may be of: 2020 to 2286."""
INTERVAL_MIN, INTERVAL_MAX = 0.001, 86_400.0
"""Seconds between two samples."""
LARGEST = 2**53 - 1
"""Whole numbers up to here are the same in every language."""

Values = dict[str, Any]


def checked_batch(samples: object) -> list[Values]:
    """Return the samples of one upload, by rising ``seq``.

    :raises Invalid: naming what is wrong.
    """
    found = [checked(sample) for sample in wire.items(samples, "samples", BATCH_MAX, 1)]
    numbers = [wire.whole(sample.get("seq"), "seq", 1, LARGEST) for sample in found]
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise Invalid("seq must rise.")
    return found


def checked(given: object) -> Values:
    """Return a sample with what the contract knows, in the contract's types; the rest is left out.

    :raises Invalid: naming what is wrong.
    """
    sample = wire.fields(given, "A sample")
    found: Values = {
        "time": wire.number(sample.get("time"), "time", EARLIEST, LATEST),
        "interval": wire.number(sample.get("interval"), "interval", INTERVAL_MIN, INTERVAL_MAX),
        "version": wire.whole(sample.get("version", 0), "version", 0, LARGEST),
    }
    if "seq" in sample:
        found["seq"] = sample["seq"]
    for name, check in _GROUPS.items():
        if name in sample:
            found[name] = check(sample[name], name)
    return found


def _finite(value: object, name: str) -> float:
    return wire.number(value, name, -BIGGEST, BIGGEST)


def _ratio(value: object, name: str) -> float:
    return wire.number(value, name, 0, 1)


def _numbers(value: object, name: str) -> list[float]:
    return [_finite(one, name) for one in wire.items(value, name, CORES_MAX)]


def _ratios(value: object, name: str) -> list[float]:
    return [_ratio(one, name) for one in _numbers(value, name)]


def _record(*fields: str) -> Callable[[object, str], dict[str, float]]:
    def check(value: object, name: str) -> dict[str, float]:
        given = wire.fields(value, name)
        return {
            field: (_ratio if field == "ratio" else _finite)(given.get(field), f"{name}.{field}") for field in fields
        }

    return check


def _by_name(check: Callable[[object, str], Any]) -> Callable[[object, str], dict[str, Any]]:
    def checked_names(value: object, name: str) -> dict[str, Any]:
        given = wire.fields(value, name, NAMES_MAX)
        return {one_line(str(key), NAME_MAX): check(one, name) for key, one in given.items()}

    return checked_names


def _reasons(value: object, name: str) -> dict[str, str]:
    given = wire.fields(value, name, NAMES_MAX)
    return {one_line(str(key), NAME_MAX): one_line(str(text), 300) for key, text in given.items()}


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
    """Return the latest sample by time."""
    return max(samples, key=lambda sample: sample["time"])
