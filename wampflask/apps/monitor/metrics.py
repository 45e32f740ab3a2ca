"""What is measured on hosts, declared once: for history, charts, alerts, Prometheus, forms and pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

Unit = Literal["ratio", "bytes/s", "celsius", "count"]
Sample = Mapping[str, Any]

DISKS_MAX = 8
"""Disks of a host whose history is kept."""


class Group(NamedTuple):
    """What one switch of a host's settings is for. ``fields`` are those of a sample that it switches off."""

    label: str
    fields: tuple[str, ...]


GROUPS = {
    "show_cpus": Group("CPU and load", ("cpu", "cpus", "load")),
    "show_memory": Group("Memory and swap", ("memory", "swap")),
    "show_disk": Group("Disks", ("disks", "disk_io")),
    "show_network": Group("Network", ("network",)),
    "show_temperatures": Group("Temperatures", ("temperatures",)),
    "show_system": Group("Uptime and number of processes", ("uptime", "processes")),
}
SWITCHES = tuple(GROUPS)


class Levels(NamedTuple):
    """Ratios from which a bar has the colour of a warning, and of trouble."""

    warn: float
    bad: float

    def of(self, ratio: float | None) -> Literal["good", "warn", "bad"]:
        """Return the level of a ratio; ``good`` for one that is not known."""
        if ratio is None or ratio < self.warn:
            return "good"
        return "bad" if ratio >= self.bad else "warn"


LEVELS = Levels(warn=0.75, bad=0.9)


class Metric(NamedTuple):
    """A number of a sample, or one for each disk.

    ``read`` returns its values by the disk's mount point, or by "" for the only one; none where it was not measured.
    ``prometheus`` is its name there, after ``wampflask_host_``.
    """

    name: str
    label: str
    unit: Unit
    prometheus: str
    read: Callable[[Sample], dict[str, float]]

    @property
    def noun(self) -> str:
        """The label within a sentence."""
        return self.label if self.label.isupper() else self.label.lower()

    def worst(self, sample: Sample) -> float | None:
        """Return the greatest value."""
        return max(self.read(sample).values(), default=None)


def _single(value: float | None) -> dict[str, float]:
    return {} if value is None else {"": value}


def _ratio(field: str) -> Callable[[Sample], dict[str, float]]:
    return lambda sample: _single(sample[field]["ratio"] if field in sample else None)


def _total(field: str, part: str) -> Callable[[Sample], dict[str, float]]:
    def read(sample: Sample) -> dict[str, float]:
        devices = sample.get(field)
        return _single(round(sum(device[part] for device in devices.values()), 1) if devices else None)

    return read


def _processes(sample: Sample) -> dict[str, float]:
    return _single(float(sample["processes"]) if "processes" in sample else None)


_DECLARED = (
    Metric("cpu", "CPU", "ratio", "cpu_ratio", lambda sample: _single(sample.get("cpu"))),
    Metric("load", "Load", "count", "load1", lambda sample: _single((sample.get("load") or [None])[0])),
    Metric("memory", "Memory", "ratio", "memory_ratio", _ratio("memory")),
    Metric("swap", "Swap", "ratio", "swap_ratio", _ratio("swap")),
    Metric(
        "disk",
        "Disk",
        "ratio",
        "disk_ratio",
        lambda sample: {name: disk["ratio"] for name, disk in sample.get("disks", {}).items()},
    ),
    Metric("disk_io:read", "Disk read", "bytes/s", "disk_io_read_bytes_per_second", _total("disk_io", "read")),
    Metric(
        "disk_io:written", "Disk write", "bytes/s", "disk_io_written_bytes_per_second", _total("disk_io", "written")
    ),
    Metric("network:received", "In", "bytes/s", "network_received_bytes_per_second", _total("network", "received")),
    Metric("network:sent", "Out", "bytes/s", "network_sent_bytes_per_second", _total("network", "sent")),
    Metric(
        "temperature",
        "Temperature",
        "celsius",
        "temperature_celsius_max",
        lambda sample: _single(max(sample.get("temperatures", {}).values(), default=None)),
    ),
    Metric("processes", "Processes", "count", "processes", _processes),
)
METRICS = {metric.name: metric for metric in _DECLARED}


def series_of(sample: Sample) -> dict[str, float]:
    """Return a sample's numbers as history keeps them, by name; those of disks as ``disk:<mount point>``."""
    return {
        f"{metric.name}:{part}" if part else metric.name: value
        for metric in _DECLARED
        for part, value in list(metric.read(sample).items())[:DISKS_MAX]
    }


def visible(sample: Sample, switches: Mapping[str, bool]) -> dict[str, Any]:
    """Return a sample without the groups that are switched off, also when they were measured before.

    :param switches: by name; those that are missing are on.
    """
    hidden = {field for name, group in GROUPS.items() if not switches.get(name, True) for field in group.fields}
    return {name: value for name, value in sample.items() if name not in hidden}
