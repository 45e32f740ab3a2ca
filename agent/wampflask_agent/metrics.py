"""The metrics that a report may hold, declared once: samplers measure them, the hub is sent the list."""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """A declared metric. ``*`` in its name stands for a core's number, a mount point, an interface, a sensor.

    :param unit: of its values, a word of the hub's contract.
    :param group: the switch in the configuration.
    :param kind: ``instant``, or ``rate``: the mean since the previous report, so the first report has none.
    """

    name: str
    unit: str
    group: str
    kind: str = "instant"


CPUS = (
    Metric("cpu", "ratio", "show_cpus", "rate"),
    Metric("cpus.*", "ratio", "show_cpus", "rate"),
    Metric("load.*", "count", "show_cpus"),
)
MEMORY = (
    Metric("memory.total", "bytes", "show_memory"),
    Metric("memory.used", "bytes", "show_memory"),
    Metric("memory.available", "bytes", "show_memory"),
    Metric("memory.ratio", "ratio", "show_memory"),
    Metric("swap.total", "bytes", "show_memory"),
    Metric("swap.used", "bytes", "show_memory"),
    Metric("swap.ratio", "ratio", "show_memory"),
)
DISKS = (
    Metric("disks.*.total", "bytes", "show_disk"),
    Metric("disks.*.used", "bytes", "show_disk"),
    Metric("disks.*.free", "bytes", "show_disk"),
    Metric("disks.*.ratio", "ratio", "show_disk"),
)
DISK_IO = (
    Metric("disk_io.*.read", "bytes/s", "show_disk", "rate"),
    Metric("disk_io.*.written", "bytes/s", "show_disk", "rate"),
    Metric("disk_io.*.reads", "operations/s", "show_disk", "rate"),
    Metric("disk_io.*.writes", "operations/s", "show_disk", "rate"),
)
NETWORK = (
    Metric("network.*.received", "bytes/s", "show_network", "rate"),
    Metric("network.*.sent", "bytes/s", "show_network", "rate"),
    Metric("network.*.errors", "errors/s", "show_network", "rate"),
)
TEMPERATURES = (Metric("temperatures.*", "celsius", "show_temperatures"),)
SYSTEM = (Metric("uptime", "seconds", "show_system"), Metric("processes", "count", "show_system"))

METRICS = CPUS + MEMORY + DISKS + DISK_IO + NETWORK + TEMPERATURES + SYSTEM
GROUPS = tuple(dict.fromkeys(metric.group for metric in METRICS))
