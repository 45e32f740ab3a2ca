"""Samplers of processors, memory, network, temperatures and the system; and the list of all."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from . import metrics
from .disks import DiskIo, Disks
from .sampler import Rates, Sampler, Values, named, ratio


class Cpus(Sampler):
    """Share of time each core was busy, and the load."""

    metrics = metrics.CPUS

    def prime(self, now: float) -> None:
        psutil.cpu_percent(percpu=True)

    def sample(self, now: float) -> Values:
        cores = [ratio(percent, 100) for percent in psutil.cpu_percent(percpu=True)]
        mean = round(sum(cores) / max(len(cores), 1), 4)
        return {"cpu": mean, "cpus": cores, "load": [round(load, 2) for load in psutil.getloadavg()]}


class Memory(Sampler):
    """Memory and swap. Used is what programs cannot have: caches that give way count as free."""

    metrics = metrics.MEMORY

    def sample(self, now: float) -> Values:
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        used = memory.total - memory.available
        return {
            "memory": {
                "total": memory.total,
                "used": used,
                "available": memory.available,
                "ratio": ratio(used, memory.total),
            },
            "swap": {"total": swap.total, "used": swap.used, "ratio": ratio(swap.used, swap.total)},
        }


class Network(Sampler):
    """What interfaces receive and send, without the loopback and the containers' own."""

    metrics = metrics.NETWORK
    _inner = re.compile(r"lo\d*$|veth|Loopback")

    def __init__(self) -> None:
        self._rates = Rates()

    def prime(self, now: float) -> None:
        self._rates.of(self._counters(), now)

    def sample(self, now: float) -> Values:
        names = ("received", "sent", "errors")
        rates = self._rates.of(self._counters(), now)
        return named("network", {name: dict(zip(names, values)) for name, values in rates.items()})

    def _counters(self) -> dict[str, Sequence[float]]:
        return {
            name: (io.bytes_recv, io.bytes_sent, io.errin + io.errout + io.dropin + io.dropout)
            for name, io in sorted(psutil.net_io_counters(pernic=True, nowrap=False).items())
            if io.bytes_recv + io.bytes_sent and not self._inner.match(name)
        }


class Temperatures(Sampler):
    """Temperatures of the sensors, degrees Celsius.

    :param root: where the host's ``/sys`` is seen, "" but for containers.
    """

    metrics = metrics.TEMPERATURES
    _possible = (-60.0, 250.0)  # broken sensors say -128 or 65262

    def __init__(self, root: str = "") -> None:
        self._sys = Path(f"{root}/sys")

    def sample(self, now: float) -> Values:
        found = self._linux() if self._sys.is_dir() else self._elsewhere()
        least, most = self._possible
        return named("temperatures", {name: round(value, 1) for name, value in found if least < value < most})

    def _linux(self) -> Iterator[tuple[str, float]]:
        inputs = sorted(self._sys.glob("class/hwmon/hwmon*/temp*_input"))
        for file in inputs:
            with suppress(OSError, ValueError):  # sensors come, go, and sleep
                chip = file.with_name("name").read_text(encoding="utf-8").strip()
                label = file.with_name(file.name.replace("_input", "_label"))
                text = label.read_text(encoding="utf-8") if label.exists() else file.name.replace("_input", "")
                yield f"{chip} {text.strip()}", int(file.read_text(encoding="ascii")) / 1000
        for zone in () if inputs else sorted(self._sys.glob("class/thermal/thermal_zone*")):
            with suppress(OSError, ValueError):
                kind = (zone / "type").read_text(encoding="utf-8").strip()
                yield kind, int((zone / "temp").read_text(encoding="ascii")) / 1000

    def _elsewhere(self) -> Iterator[tuple[str, float]]:
        sensors: Mapping[str, Any] = getattr(psutil, "sensors_temperatures", dict)()
        for chip, entries in sensors.items():
            for number, entry in enumerate(entries, 1):
                yield f"{chip} {entry.label or number}", float(entry.current)


class System(Sampler):
    """Uptime and the number of processes."""

    metrics = metrics.SYSTEM

    def sample(self, now: float) -> Values:
        return {"uptime": round(self._uptime(), 1), "processes": len(psutil.pids())}

    def _uptime(self) -> float:
        """Return seconds since the start, from the kernel where it says: a clock that was set changes nothing then."""
        file = Path(psutil.PROCFS_PATH if hasattr(psutil, "PROCFS_PATH") else "/proc") / "uptime"
        if file.exists():
            return float(file.read_text(encoding="ascii").split()[0])
        return time.time() - psutil.boot_time()


def all_samplers(root: str = "") -> list[Sampler]:
    """Return one of each.

    :param root: where a host's file systems are mounted in a container; "" elsewhere.
    """
    if root:
        psutil.PROCFS_PATH = f"{root}/proc"
    return [Cpus(), Memory(), Disks(root), DiskIo(root), Network(), Temperatures(root), System()]
