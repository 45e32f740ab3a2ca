#!/usr/bin/env python3
# /// script
# requires-python = ">=3.9"
# dependencies = ["psutil>=7,<8", "autobahn[twisted]>=24.4,<27"]
# ///
"""The monitoring agent of wampflask: one file to copy to a host that is to be on the dashboard.

::

    python3 -m venv venv
    venv/bin/pip install "psutil>=7,<8" "autobahn[twisted]>=24.4,<27"
    venv/bin/python agent.py --server http://hub:8080 --token <from the admin page>

The hub's page “Add a host” has these lines with the right address and a token; ``uv run agent.py`` reads the packages
above. Python 3.9 or newer (pip then takes autobahn 24.4; autobahn 26 needs Python 3.11). ``--check`` says what is wrong
with the set-up, ``--once`` prints one sample, ``--systemd`` and ``--container`` print how to run it for good.

It enrols at the hub over HTTP, joins the hub's router over a WebSocket, publishes a sample each ``frequency`` seconds
(each second while somebody looks), can be configured at any moment, and hands every sample over once more for the
hub's history, also those from when the hub was away. What it says and hears is written down in the hub's
``wampflask/apps/monitor/contract.py``. It imports nothing of wampflask.

Threads: everything runs in Twisted's reactor, but for HTTP, sizes of disks and lists of processes, which may take long.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import random
import re
import socket
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

try:
    import psutil
except ImportError:
    sys.exit('The agent needs two packages: pip install psutil "autobahn[twisted]"')

__version__ = "1.0.0"

MAX_NAMES = 48
"""Disks, interfaces and sensors of one kind in a sample; those that come first."""
MAX_NAME = 120
"""Characters of a name that a machine gives to such a thing."""
WATCHED_INTERVAL = 1.0
MAX_WATCH = 120.0
MAX_PROCESSES = 100

BUFFER_BYTES = 2 * 1024 * 1024
"""Of samples kept while the hub is away: of a small machine about an hour at one a second, a week at one in 3 min."""
BATCH_BYTES = 40_000
"""Of one handover; the router takes messages of 64 KiB."""
BATCH_SAMPLES = 100
BATCH_PAUSE = (0.1, 0.4)
"""Seconds between two handovers of a backlog, so that many agents at once leave the hub room."""

HTTP_TIMEOUT = 10.0
JOIN_TIMEOUT = 15.0
CALL_TIMEOUT = 30.0
FIRST_DELAY = 1.0
GROWTH = 1.5
MAX_DELAY = 10.0
"""Seconds between two attempts to connect, at most; the least is half of it."""
REFUSED_DELAY = 60.0
STEADY = 30.0
"""A session that lasted so long was no failure: the next attempt comes as soon as the first one."""
STOP_TIMEOUT = 2.0
SET_BACK = 2.0
"""Seconds; by less, a clock goes back when it is only kept in step."""
MAX_SKEW = 30.0
"""Seconds that this machine's clock and the hub's may differ without a warning."""

log = logging.getLogger("agent")
_random = random.SystemRandom()

Values = dict[str, Any]


class AgentError(Exception):
    """Something that a person must mend; the text says what and how."""


# ---------------------------------------------------------------------------------------------------- what is measured


class Metric(NamedTuple):
    """A declared metric. ``*`` in its name stands for a core's number, a mount point, an interface, a sensor.

    ``kind``: ``instant``, or ``rate``: the mean since the sample before, so that the first sample has none.
    """

    name: str
    unit: str
    kind: str = "instant"


class Sampler:
    """Measures one group of metrics.

    ``group``: the switch in the configuration.    ``trouble``: what could not be measured the last time, while the rest
    could.
    """

    group = ""
    metrics: tuple[Metric, ...] = ()
    trouble = ""

    def prime(self, now: float) -> None:
        """Begin to measure: rates and shares are of the time from here on."""

    def sample(self, now: float) -> Values:
        """The values now; what this machine has not is left out.

        :param now: seconds, monotonic.
        """
        raise NotImplementedError


class Rates:
    """How fast named counters rise."""

    def __init__(self) -> None:
        self._before: Mapping[str, Sequence[float]] = {}
        self._then: float | None = None

    def of(self, counters: Mapping[str, Sequence[float]], now: float) -> dict[str, list[float]]:
        """By name, the rise of each counter per second since the last call.

        Left out are new names, and those of which a counter fell: it was set back or went over its limit.
        """
        elapsed = now - self._then if self._then is not None else 0.0
        rates = {}
        for name, values in counters.items():
            rises = [value - before for value, before in zip(values, self._before.get(name, ()))]
            if elapsed > 0 and rises and min(rises) >= 0:
                rates[name] = [round(rise / elapsed, 1) for rise in rises]
        self._before, self._then = counters, now
        return rates


class Cpus(Sampler):
    """Share of time each core was busy, and the load."""

    group = "show_cpus"
    metrics = (Metric("cpu", "ratio", "rate"), Metric("cpus.*", "ratio", "rate"), Metric("load.*", "count"))

    def prime(self, now: float) -> None:
        psutil.cpu_percent(percpu=True)

    def sample(self, now: float) -> Values:
        cores = [_ratio(percent, 100) for percent in psutil.cpu_percent(percpu=True)]
        mean = round(sum(cores) / max(len(cores), 1), 4)
        return {"cpu": mean, "cpus": cores, "load": [round(load, 2) for load in psutil.getloadavg()]}


class Memory(Sampler):
    """Memory and swap. Used is what cannot be had: caches that give way count as free."""

    group = "show_memory"
    metrics = (
        Metric("memory.total", "bytes"),
        Metric("memory.used", "bytes"),
        Metric("memory.available", "bytes"),
        Metric("memory.ratio", "ratio"),
        Metric("swap.total", "bytes"),
        Metric("swap.used", "bytes"),
        Metric("swap.ratio", "ratio"),
    )

    def sample(self, now: float) -> Values:
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        used = memory.total - memory.available
        return {
            "memory": {
                "total": memory.total,
                "used": used,
                "available": memory.available,
                "ratio": _ratio(used, memory.total),
            },
            "swap": {"total": swap.total, "used": swap.used, "ratio": _ratio(swap.used, swap.total)},
        }


class Mount(NamedTuple):
    """A mounted file system: what is mounted, the place that is shown, and the path to ask."""

    device: str
    name: str
    path: str


class Disks(Sampler):
    """How full the mounted file systems are. Local ones: those of networks hang when their server does, and are its.

    A drive that does not answer stops nothing but itself: sizes are asked for in a thread, which is left behind when a
    file system takes longer than ``patience`` seconds; that one is named in ``trouble``, and asked again when it has
    answered at last.

    :param root: where the host's file systems are seen, "" but for containers.
    :param every: seconds between two measurements.
    """

    group = "show_disk"
    metrics = (
        Metric("disks.*.total", "bytes"),
        Metric("disks.*.used", "bytes"),
        Metric("disks.*.free", "bytes"),
        Metric("disks.*.ratio", "ratio"),
    )

    def __init__(
        self,
        root: str = "",
        *,
        every: float = 5.0,
        patience: float = 5.0,
        usage: Callable[[str], Any] = psutil.disk_usage,
    ) -> None:
        self._root = root
        self._every = every
        self._patience = patience
        self._usage = usage
        self._round: _Round | None = None
        self._stuck: dict[str, _Round] = {}
        self._disks: dict[str, Values] = {}
        self._began = -math.inf

    def prime(self, now: float) -> None:
        self._begin(now)

    def sample(self, now: float) -> Values:
        running = self._round
        if running is not None and running.done.is_set():
            self._disks, self._round = running.disks, None
            self.trouble = running.trouble
        elif running is not None and now - self._began > self._patience:
            self._leave_behind(running)
        if self._round is None and now - self._began >= self._every and _Round.LISTING not in self._stuck:
            self._begin(now)
        return {"disks": self._disks} if self._disks else {}

    def wait(self, seconds: float) -> None:
        """Until the measurement that was begun is done."""
        if self._round is not None:
            self._round.done.wait(seconds)

    def _leave_behind(self, running: _Round) -> None:
        self._round = None
        self._stuck[running.at] = running
        self._disks = {name: value for name, value in self._disks.items() if name != running.at}
        self._began = -math.inf

    def _begin(self, now: float) -> None:
        self._stuck = {name: left for name, left in self._stuck.items() if not left.done.is_set()}
        self._began = now
        self._round = _Round(self._root, self._usage, frozenset(self._stuck))
        threading.Thread(target=self._round.run, name="disks", daemon=True).start()


class _Round:
    """One measurement of all disks, in a thread."""

    LISTING = "the list of file systems"

    def __init__(self, root: str, usage: Callable[[str], Any], skipped: frozenset[str]) -> None:
        self._root = root
        self._usage = usage
        self._skipped = skipped
        self.at = self.LISTING
        self.disks: dict[str, Values] = {}
        self.trouble = ", ".join(f"{name} does not answer" for name in sorted(skipped))
        self.done = threading.Event()

    def run(self) -> None:
        measured: set[str] = set()
        try:
            for mount in mounts(self._root):
                if mount.device not in measured and mount.name not in self._skipped and len(measured) < MAX_NAMES:
                    self.at = mount.name
                    measured |= {mount.device} if self._measure(mount) else set()
            self.disks = dict(sorted(self.disks.items()))
        except Exception as error:  # a boundary: the thread ends with a word for the sample, not with a traceback
            self.trouble = _say(error)
        finally:
            self.done.set()

    def _measure(self, mount: Mount) -> bool:
        """Whether that was a file system with a size; a container's ``/etc/hosts`` is mounted, too, and is none."""
        try:
            usage = self._usage(mount.path) if Path(mount.path).is_dir() else None
        except OSError as error:
            self.trouble = ", ".join(filter(None, [self.trouble, f"{mount.name}: {error.strerror or error}"]))
            return True
        if usage is None or not usage.total:
            return False
        self.disks[mount.name] = {
            "total": usage.total,
            "used": usage.used,
            "free": usage.free,
            "ratio": _ratio(usage.used, usage.used + usage.free),
        }
        return True


def mounts(root: str = "") -> list[Mount]:
    """The mounted file systems of drives, and whatever is at ``/``; short places first. Touches none of them.

    :param root: where the host's file systems are seen, "" but for containers.
    """
    table = Path(f"{root}/proc/{'1' if root else 'self'}/mounts")
    if not table.exists():
        disks = psutil.disk_partitions()
        return [Mount(disk.device, clean(disk.mountpoint), disk.mountpoint) for disk in disks if disk.fstype]
    kinds = _drive_kinds(Path(f"{root}/proc/filesystems"))
    found = []
    for line in os.fsdecode(table.read_bytes()).splitlines():
        device, place, kind, *_ = [*line.split(" "), "", ""]
        if kind in kinds or place == "/":
            place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), place)
            found.append(Mount(device, clean(place), root + place))
    return sorted(found, key=lambda mount: len(mount.path))


def _drive_kinds(file: Path) -> set[str]:
    """The kinds of file systems that this kernel keeps on drives; not those that are always full by their nature."""
    with suppress(OSError):
        lines = file.read_text(encoding="utf-8").splitlines()
        kinds = {line.strip() for line in lines if not line.startswith("nodev")}
        return (kinds | {"zfs"}) - {"squashfs", "iso9660", "udf", "erofs", "cramfs"}
    return set()


class DiskIo(Sampler):
    """What drives read and write."""

    group = "show_disk"
    metrics = (
        Metric("disk_io.*.read", "bytes/s", "rate"),
        Metric("disk_io.*.written", "bytes/s", "rate"),
        Metric("disk_io.*.reads", "operations/s", "rate"),
        Metric("disk_io.*.writes", "operations/s", "rate"),
    )
    _no_drive = re.compile(r"(loop|ram|zram|dm-|sr|fd|nbd)\d")

    def __init__(self, root: str = "") -> None:
        self._blocks = Path(f"{root}/sys/block")
        self._rates = Rates()

    def prime(self, now: float) -> None:
        self._rates.of(self._counters(), now)

    def sample(self, now: float) -> Values:
        names = ("read", "written", "reads", "writes")
        rates = self._rates.of(self._counters(), now)
        return _named("disk_io", {name: dict(zip(names, values)) for name, values in rates.items()})

    def _counters(self) -> dict[str, Sequence[float]]:
        counters = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
        drives = {block.name for block in self._blocks.iterdir()} if self._blocks.is_dir() else set(counters)
        return {
            name: (io.read_bytes, io.write_bytes, io.read_count, io.write_count)
            for name, io in sorted(counters.items())
            if name in drives and not self._no_drive.match(name)
        }


class Network(Sampler):
    """What interfaces receive and send; not the loopback, nor the containers' ends of their cables."""

    group = "show_network"
    metrics = (
        Metric("network.*.received", "bytes/s", "rate"),
        Metric("network.*.sent", "bytes/s", "rate"),
        Metric("network.*.errors", "errors/s", "rate"),
    )
    _inner = re.compile(r"lo\d*$|veth|Loopback")

    def __init__(self) -> None:
        self._rates = Rates()

    def prime(self, now: float) -> None:
        self._rates.of(self._counters(), now)

    def sample(self, now: float) -> Values:
        names = ("received", "sent", "errors")
        rates = self._rates.of(self._counters(), now)
        return _named("network", {name: dict(zip(names, values)) for name, values in rates.items()})

    def _counters(self) -> dict[str, Sequence[float]]:
        return {
            name: (io.bytes_recv, io.bytes_sent, io.errin + io.errout + io.dropin + io.dropout)
            for name, io in sorted(psutil.net_io_counters(pernic=True, nowrap=False).items())
            if io.bytes_recv + io.bytes_sent and not self._inner.match(name)
        }


class Temperatures(Sampler):
    """What the sensors say, degrees Celsius.

    :param root: where the host's ``/sys`` is seen, "" but for containers.
    """

    group = "show_temperatures"
    metrics = (Metric("temperatures.*", "celsius"),)
    _possible = (-60.0, 250.0)  # broken sensors say -128 or 65262

    def __init__(self, root: str = "") -> None:
        self._sys = Path(f"{root}/sys")

    def sample(self, now: float) -> Values:
        found = self._linux() if self._sys.is_dir() else self._elsewhere()
        least, most = self._possible
        return _named("temperatures", {name: round(value, 1) for name, value in found if least < value < most})

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

    group = "show_system"
    metrics = (Metric("uptime", "seconds"), Metric("processes", "count"))

    def sample(self, now: float) -> Values:
        return {"uptime": round(self._uptime(), 1), "processes": len(psutil.pids())}

    def _uptime(self) -> float:
        """From the kernel where it tells, so that a clock that was set changes nothing."""
        file = Path(psutil.PROCFS_PATH if hasattr(psutil, "PROCFS_PATH") else "/proc") / "uptime"
        if file.exists():
            return float(file.read_text(encoding="ascii").split()[0])
        return time.time() - psutil.boot_time()


def samplers(root: str = "") -> list[Sampler]:
    """All of them. :param root: where a host's file systems are seen in a container; "" elsewhere."""
    if root:
        psutil.PROCFS_PATH = f"{root}/proc"
    return [Cpus(), Memory(), Disks(root), DiskIo(root), Network(), Temperatures(root), System()]


def declarations(measures: Iterable[Sampler]) -> list[Values]:
    """What the samples may hold, as the hub is told."""
    return [{**metric._asdict(), "group": sampler.group} for sampler in measures for metric in sampler.metrics]


class Sampling:
    """Takes samples with every sampler that is switched on; one that fails is named and stops no other.

    :param facts: what stands in each sample: host, name, ip.
    """

    def __init__(
        self,
        measures: Sequence[Sampler],
        facts: Values,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._samplers = measures
        self.facts = facts
        self._wall = wall
        self._monotonic = monotonic
        self._last = 0.0
        self._primed: set[Sampler] = set()

    def prime(self, config: Config) -> bool:
        """Begin to measure what is switched on and was not, forget what is off; whether anything began."""
        wanted = {sampler for sampler in self._samplers if config.shows(sampler.group)}
        new = wanted - self._primed
        for sampler in new:
            with suppress(Exception):  # what it cannot do now it says at the next sample
                sampler.prime(self._monotonic())
        self._primed = wanted
        return bool(new)

    def take(self, config: Config, interval: float) -> Values:
        """One sample.

        :param interval: seconds until the next, for those who wait for it.
        """
        self._last = self._next_time()
        sample: Values = {**self.facts, "time": self._last, "interval": interval, "version": config.version}
        failed = {}
        for sampler in self._samplers:
            if not config.shows(sampler.group):
                continue
            try:
                sample.update(sampler.sample(self._monotonic()))
                trouble = sampler.trouble
            except Exception as error:  # a boundary: no sampler may stop another, or the agent
                trouble = _say(error)
            if trouble:
                failed[type(sampler).__name__.lower()] = clean(trouble, 300)
        if failed:
            sample["failed"] = failed
        return sample

    def _next_time(self) -> float:
        """Later than the last; but when the clock was set back, it was wrong before, and right now."""
        now = round(self._wall(), 3)
        return now if now > self._last or now < self._last - SET_BACK else round(self._last + 0.001, 3)


class Processes:
    """The processes that use most. Takes a moment, so for a thread; one call at a time."""

    FRESH = 10.0
    """Seconds that CPU times are good to compare with; older ones are taken anew, with a pause between."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, float], float] = {}
        self._then = -math.inf

    def top(self, limit: int) -> Values:
        """The first ``limit`` by CPU and by memory. Blocks for about half a second the first time."""
        if time.monotonic() - self._then > self.FRESH:
            self._measure()
            time.sleep(0.5)
        before, then = self._before, self._then
        found = self._measure()
        elapsed = max(self._then - then, 0.001)
        total = psutil.virtual_memory().total
        rows = [
            (max(cpu - before.get(key, cpu), 0.0) / elapsed, memory, process)
            for key, (cpu, memory, process) in found.items()
        ]
        by_cpu = sorted(rows, key=lambda row: row[:2], reverse=True)[:limit]
        by_memory = sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)[:limit]
        return {
            "time": round(time.time(), 3),
            "count": len(found),
            "by_cpu": [row for row in (_process(*each, total) for each in by_cpu) if row],
            "by_memory": [row for row in (_process(*each, total) for each in by_memory) if row],
        }

    def _measure(self) -> dict[tuple[int, float], tuple[float, int, Any]]:
        self._then = time.monotonic()
        found = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError), process.oneshot():
                times = process.cpu_times()
                key = (process.pid, process.create_time())
                found[key] = (times.user + times.system, process.memory_info().rss, process)
        self._before = {key: row[0] for key, row in found.items()}
        return found


def _process(cpu: float, memory: int, process: Any, total: int) -> Values | None:
    """One row of the list; None when the process has ended meanwhile."""
    with suppress(psutil.Error, OSError):
        user = "?"
        with suppress(psutil.Error, OSError, KeyError):
            user = process.username()
        return {
            "pid": process.pid,
            "name": clean(process.name()),
            "user": clean(user),
            "cpu": round(cpu, 3),
            "memory": memory,
            "ratio": _ratio(memory, total),
            "started": round(process.create_time(), 1),
        }
    return None


def clean(text: str, most: int = MAX_NAME) -> str:
    """``text`` as it can travel: names on a machine may be any bytes; not too long."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= most else whole[: most - 1] + "…"


def _named(name: str, things: Mapping[str, Any]) -> Values:
    """``things`` under ``name``, their own names made to travel, not too many; nothing when there are none."""
    some = list(things.items())[:MAX_NAMES]
    return {name: {clean(key): value for key, value in some}} if some else {}


def _ratio(part: float, whole: float) -> float:
    return round(min(max(part / whole, 0.0), 1.0), 4) if whole else 0.0


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


# ------------------------------------------------------------------------------------------------------- configuration


class ConfigError(ValueError):
    """A configuration that cannot be; the text names the field and what it may be."""


GROUPS = ("show_cpus", "show_memory", "show_disk", "show_network", "show_temperatures", "show_system")
FREQUENCY = (0.5, 3600.0)
HANDOVER = (1.0, 300.0)


class Config(NamedTuple):
    """What the hub wants of this host."""

    version: int = 0
    disabled: bool = False
    frequency: float = 5.0
    handover: float = 10.0
    groups: frozenset[str] = frozenset(GROUPS)

    @classmethod
    def parse(cls, data: object) -> Config:
        """From JSON; fields that are missing have their defaults, unknown ones are left alone.

        :raises ConfigError: naming the first wrong field.
        """
        if not isinstance(data, dict):
            raise ConfigError("the configuration is not an object")
        return cls(
            version=_integer(data, "version", 0),
            disabled=_boolean(data, "disabled", default=False),
            frequency=_seconds(data, "frequency", 5.0, FREQUENCY),
            handover=_seconds(data, "handover", 10.0, HANDOVER),
            groups=frozenset(group for group in GROUPS if _boolean(data, group, default=True)),
        )

    def as_json(self) -> Values:
        return {**{name: value for name, value in self._asdict().items() if name != "groups"}, **dict(self._switches())}

    def _switches(self) -> Iterator[tuple[str, bool]]:
        return ((group, group in self.groups) for group in GROUPS)

    def shows(self, group: str) -> bool:
        """Whether a group of metrics is switched on."""
        return group in self.groups


def _boolean(data: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = data.get(name, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is {_short(value)}; it must be true or false")
    return value


def _integer(data: Mapping[str, Any], name: str, default: int) -> int:
    value = data.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(f"{name} is {_short(value)}; it must be a whole number from 0 on")
    return value


def _seconds(data: Mapping[str, Any], name: str, default: float, limits: tuple[float, float]) -> float:
    value = data.get(name, default)
    least, most = limits
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"{name} is {_short(value)}; it must be a number of seconds from {least:g} to {most:g}")
    return float(value)


def _short(value: object) -> str:
    return clean(repr(value), 60)


# ------------------------------------------------------------------------------------------------ settings and identity

ENVIRONMENT = "WAMPFLASK_AGENT_"
CONFIG_FILES = ("/etc/wampflask-agent.conf", "~/.config/wampflask-agent.conf")
SETTINGS = ("server", "token", "state", "name", "root", "buffer")


class Settings(NamedTuple):
    """How this agent was started: each from the command line, else the environment, else a file."""

    server: str
    token: str
    state: Path
    name: str
    root: str
    buffer: int

    @classmethod
    def gather(cls, options: Mapping[str, str | None], env: Mapping[str, str]) -> Settings:
        """:raises AgentError: for a file that cannot be read, or a value that cannot be."""
        given = {
            **_read_files(options.get("config") or env.get(f"{ENVIRONMENT}CONFIG")),
            **{name: env[key] for name in SETTINGS if (key := ENVIRONMENT + name.upper()) in env},
            **{name: value for name in SETTINGS if (value := options.get(name))},
        }
        return cls(
            server=normal_server(given.get("server", "")),
            token=given.get("token", "").strip(),
            state=Path(given.get("state") or default_state(env)).expanduser().absolute(),
            name=clean(given.get("name") or socket.gethostname()),
            root=given.get("root", "").rstrip("/"),
            buffer=_buffer_bytes(given.get("buffer", "")),
        )


def _read_files(chosen: str | None) -> dict[str, str]:
    """The settings in the chosen file, or in those of :data:`CONFIG_FILES` that are there."""
    found: dict[str, str] = {}
    for name in (chosen,) if chosen else CONFIG_FILES:
        file = Path(name).expanduser()
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            if chosen:
                raise AgentError(f"There is no file {file}; --config names it.") from None
            continue
        except (OSError, ValueError) as error:
            raise AgentError(f"Cannot read {file}: {_say(error)}") from None
        found.update(parse_settings(text, str(file)))
    return found


def parse_settings(text: str, file: str) -> dict[str, str]:
    """Lines ``name = value``; ``#`` begins a comment line.

    :raises AgentError: naming the line that is something else.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        name, equals, value = bare.partition("=")
        if not equals or name.strip() not in SETTINGS:
            raise AgentError(f"{file}, line {number}: write one of {', '.join(SETTINGS)}, then = and its value.")
        found[name.strip()] = value.strip().strip("\"'")
    return found


def normal_server(text: str) -> str:
    """The hub's address with scheme, without a slash at the end; "" stays.

    :raises AgentError: when it cannot be one.
    """
    if not text:
        return ""
    address = text if "://" in text else f"http://{text}"
    if not _is_server(address):
        raise AgentError(f"--server {text} is no address of a hub; write it like http://hub:8080")
    return address.rstrip("/")


def _is_server(address: str) -> bool:
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(good) and not (parts.username or parts.query or parts.fragment)


def _buffer_bytes(text: str) -> int:
    if not text:
        return BUFFER_BYTES
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 0.1 <= size <= 1024:  # noqa: PLR2004 - MiB
        raise AgentError(f"--buffer {text} is no size; write MiB from 0.1 to 1024.")
    return int(size * 1024 * 1024)


def default_state(env: Mapping[str, str]) -> str:
    """The folder for identity and key."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return "/var/lib/wampflask-agent"
    return str(Path(env.get("XDG_STATE_HOME") or "~/.local/state") / "wampflask-agent")


class State:
    """The folder in which an agent keeps who it is: ``host``, ``key``, ``config.json``, ``unsent``. Only its user can
    read it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: Any = None

    def open(self) -> None:
        """Make it, and hold it for this process; the kernel frees it however the process ends.

        :raises AgentError: when it cannot be used, or another agent does.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = open(self.folder / "lock", "a+", encoding="ascii", opener=_private)  # noqa: SIM115 - held
        except OSError as error:
            raise AgentError(
                f"Cannot write {self.folder}: {error.strerror}. Choose a folder with --state, or run as its owner."
            ) from None
        try:
            _lock(self._lock)
        except OSError:
            raise AgentError(
                f"Another agent runs with {self.folder}. Give this one a folder of its own: --state"
            ) from None

    def close(self) -> None:
        """Free the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def host(self) -> str:
        """This host's id, made at the first call."""
        return self._secret("host", 16)

    def key(self) -> str:
        """This host's key, made at the first call."""
        return self._secret("key", 32)

    def known_host(self) -> str:
        """The id if there is one yet."""
        with suppress(OSError, ValueError):
            return (self.folder / "host").read_text(encoding="ascii").strip()
        return ""

    def _secret(self, name: str, size: int) -> str:
        file = self.folder / name
        try:
            if not file.exists():
                self.write(name, os.urandom(size).hex() + "\n")
            elif stat.S_IMODE(file.stat().st_mode) & 0o077:
                log.warning("Others on this machine could read %s; now they cannot.", file)
                file.chmod(0o600)
            text = file.read_text(encoding="ascii", errors="replace").strip()
        except OSError as error:
            raise AgentError(f"Cannot use {file}: {error.strerror}. Run the agent as the owner of the file.") from None
        if not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", text):
            raise AgentError(f"{file} does not hold {2 * size} hex digits. Remove it to make this a new host.")
        return text

    def write(self, name: str, text: str) -> None:
        """Write a file whole or not at all."""
        new = self.folder / f"{name}.new"
        with suppress(FileNotFoundError):
            new.unlink()
        with open(new, "x", encoding="utf-8", opener=_private) as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        new.replace(self.folder / name)

    def read_config(self) -> Config | None:
        """The configuration of the last time; None when this host was never accepted by a hub."""
        with suppress(OSError, ValueError):
            return Config.parse(json.loads((self.folder / "config.json").read_text(encoding="utf-8")))
        return None

    def write_config(self, config: Config) -> None:
        """Keep it for the next start, in case the hub is away then."""
        try:
            self.write("config.json", json.dumps(config.as_json()) + "\n")
        except OSError as error:
            log.warning("Cannot keep the configuration in %s: %s", self.folder, error.strerror)


def _lock(handle: Any) -> None:
    """Lock a file for this process, where the system has such locks (Windows has not).

    :raises OSError: when another process has it.
    """
    with suppress(ImportError):
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


# ---------------------------------------------------------------------------------------------------------- the history


class Entry(NamedTuple):
    """A sample that the hub has not confirmed: its number, once it has been handed over, and its JSON."""

    seq: int | None
    data: bytes


class Buffer:
    """Samples until the hub has stored them, oldest first; each gets one number for good when it is first handed over.

    ``dropped``: samples lost since the start, because there was no room or the hub could not take them.

    :param most: bytes of samples that wait; of more, the oldest are dropped.
    """

    def __init__(self, most: int = BUFFER_BYTES) -> None:
        self._most = most
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._flight: list[Entry] = []
        self._last = 0
        self._limit = BATCH_SAMPLES
        self._doubtful: set[int] = set()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._flight)

    @property
    def full_batch(self) -> bool:
        """Whether more waits than goes into one batch."""
        return self._bytes > BATCH_BYTES or len(self._waiting) > BATCH_SAMPLES

    def append(self, sample: Values) -> None:
        """Keep a sample."""
        self._add(Entry(None, json.dumps(sample, separators=(",", ":")).encode("ascii")))
        self._bound()

    def batch(self) -> list[Values]:
        """The oldest samples, numbered, to be handed over; then :meth:`confirm`, :meth:`again` or :meth:`refuse`."""
        size = 0
        while self._waiting and len(self._flight) < self._limit:
            size += len(self._waiting[0].data)
            if self._flight and size > BATCH_BYTES:
                break
            entry = self._waiting.popleft()
            self._bytes -= len(entry.data)
            self._flight.append(entry if entry.seq is not None else Entry(self._number(), entry.data))
        return [{**json.loads(entry.data), "seq": entry.seq} for entry in self._flight]

    def confirm(self, stored: int) -> None:
        """The hub has everything up to the number ``stored``; what was under way above it comes again."""
        self._last = max(self._last, stored)
        self._limit = BATCH_SAMPLES
        self.again()
        while self._waiting and (seq := self._waiting[0].seq) is not None and seq <= stored:
            self._bytes -= len(self._waiting.popleft().data)
        saved = {seq for seq in self._doubtful if seq <= stored}
        self._doubtful -= saved
        self.dropped -= len(saved)

    def again(self) -> None:
        """What was under way may not have arrived: it comes again, with the same numbers."""
        for entry in reversed(self._flight):
            self._waiting.appendleft(entry)
            self._bytes += len(entry.data)
        self._flight = []
        self._bound()

    def refuse(self) -> None:
        """The hub cannot take what was under way: find the sample that it cannot take, and drop that one alone."""
        if len(self._flight) > 1:
            self._limit = len(self._flight) // 2
            self.again()
            return
        self.dropped += len(self._flight)
        self._flight = []
        self._limit = BATCH_SAMPLES

    def dump(self) -> str:
        """Everything unconfirmed, to be kept in a file over a restart."""
        self.again()
        return "".join(f"{entry.seq or 0} {entry.data.decode('ascii')}\n" for entry in self._waiting)

    def load(self, text: str) -> None:
        """Add what :meth:`dump` gave; a line that was cut off is left out."""
        for line in text.splitlines():
            number, _, data = line.partition(" ")
            if number.isdigit() and _is_object(data):
                self._add(Entry(int(number) or None, data.encode("ascii")))
                self._last = max(self._last, int(number))
        self._bound()

    def _number(self) -> int:
        self._last += 1
        return self._last

    def _add(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self._bytes += len(entry.data)

    def _bound(self) -> None:
        while self._bytes > self._most and len(self._waiting) > 1:
            entry = self._waiting.popleft()
            self._bytes -= len(entry.data)
            self.dropped += 1
            if entry.seq is not None:  # it may have been stored, and its confirmation lost
                self._doubtful.add(entry.seq)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict) and text.isascii()
    except ValueError:
        return False


# -------------------------------------------------------------------------------------------------------------- the hub


class HubError(Exception):
    """The hub could not be asked, or did not answer as one; it may be tried again."""


class Refused(HubError):
    """The hub does not want this host; a person must do something. ``code`` is the hub's word for it."""

    def __init__(self, code: str, reason: str, wait: float = REFUSED_DELAY) -> None:
        super().__init__(reason)
        self.code = code
        self.wait = wait


class Enrolled(NamedTuple):
    """The hub's answer. ``ip``: this machine's address towards the hub. ``skew``: seconds its clock is ahead."""

    config: Config
    ticket: str
    url: str
    realm: str
    ip: str
    skew: float | None


class Hub:
    """The hub's HTTP side. Blocks: for a thread.

    :param state: knows id and key.     :param token: only sent to a hub that does not know this host.
    """

    MAX_ANSWER = 1024 * 1024

    def __init__(self, server: str, token: str, name: str, state: State) -> None:
        self._server = server
        self._token = token
        self._name = name
        self._state = state

    def enrol(self) -> Enrolled:
        """Tell the hub who this is, and be given configuration and ticket.

        :raises Refused: by the hub.     :raises HubError: when it could not be asked.
        """
        first = self._state.read_config() is None
        try:
            return self._ask(self._token if first else "")
        except Refused as refusal:
            if refusal.code != "token_missing" or first or not self._token:
                raise
        return self._ask(self._token)  # the hub has forgotten this host

    def _ask(self, token: str) -> Enrolled:
        body = {
            "host": self._state.host(),
            "key": self._state.key(),
            "name": self._name,
            "agent": __version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "system": _system(),
            **({"token": token} if token else {}),
        }
        try:
            status, headers, text, ip = self._post(body)
        except OSError as error:
            raise HubError(f"cannot reach {self._server}: {_network_problem(error)}") from None
        if status in (301, 302, 303, 307, 308):
            raise HubError(f"{self._server} says to go to {headers.get('Location')}: start with that as --server")
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise HubError(f"{self._server} answered {status}, but not as a hub does: is --server right?")
        if status >= 500:  # noqa: PLR2004
            raise HubError(f"{self._server} answered {status}: {_reason(answer)}")
        if status >= 400:  # noqa: PLR2004
            wait = headers.get("Retry-After") or ""
            raise Refused(
                str(answer.get("error", status)),
                _reason(answer),
                max(float(wait), 1.0) if wait.isdigit() else REFUSED_DELAY,
            )
        return self._understand(answer, ip, headers)

    def _post(self, body: Values) -> tuple[int, Mapping[str, str], bytes, str]:
        from http.client import HTTPConnection, HTTPException

        parts = urlsplit(self._server)
        secure = parts.scheme == "https"
        host = parts.hostname or ""
        connection = HTTPConnection(host, parts.port or (443 if secure else 80), timeout=HTTP_TIMEOUT)
        try:
            connection.connect()
            if secure:
                connection.sock = tls_context().wrap_socket(connection.sock, server_hostname=host)
            ip = str(connection.sock.getsockname()[0])
            headers = {"Content-Type": "application/json", "User-Agent": f"wampflask-agent/{__version__}"}
            connection.request("POST", f"{parts.path}/clients/", json.dumps({**body, "ip": ip}), headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read(self.MAX_ANSWER), ip
        except HTTPException as error:
            raise HubError(f"{self._server} does not speak HTTP: {_say(error)}") from None
        finally:
            connection.close()

    def _understand(self, answer: Values, ip: str, headers: Mapping[str, str]) -> Enrolled:
        try:
            url, ticket, realm = (_text(answer, name) for name in ("url", "ticket", "realm"))
            _check_url(url)
            return Enrolled(Config.parse(answer), ticket, url, realm, ip, _skew(headers.get("Date")))
        except ConfigError as error:
            raise HubError(f"{self._server} answered what this agent cannot use: {error}") from None


def _check_url(url: str) -> None:
    if urlsplit(url).scheme not in ("ws", "wss") or not urlsplit(url).hostname:
        raise ConfigError(f"url is {_short(url)}; it must begin with ws:// or wss://")


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name} is {_short(value)}; it must be text")
    return value


def _reason(answer: Mapping[str, Any]) -> str:
    return clean(str(answer.get("reason") or answer.get("error") or "it gave no reason"), 300)


def _skew(date: str | None) -> float | None:
    from email.utils import parsedate_to_datetime

    with suppress(TypeError, ValueError):
        return parsedate_to_datetime(date or "").timestamp() + 0.5 - time.time()  # it has whole seconds
    return None


def _system() -> str:
    uname = os.uname() if hasattr(os, "uname") else None
    return clean(f"{uname.sysname} {uname.release} {uname.machine}" if uname else sys.platform)


def _network_problem(error: OSError) -> str:
    """In a person's words."""
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved ({error.strerror})"
    if isinstance(error, TimeoutError) or isinstance(error, socket.timeout):  # noqa: SIM101 - two before 3.10
        return f"no answer within {HTTP_TIMEOUT:g} s"
    return error.strerror or _say(error)


def tls_context() -> Any:
    """What certificates are trusted: the system's, or those of ``SSL_CERT_FILE``."""
    import ssl

    return ssl.create_default_context()


# ---------------------------------------------------------------------------------------------------------- the session

_UNUSED = ("cbor2", "msgpack", "umsgpack", "ujson", "autobahn.flatbuffers", "click", "OpenSSL")
_UNUSED_WITHOUT_TLS = ("ssl", "_hashlib")  # SHA-1, all that a WebSocket needs, is in Python itself, too
_STAND_INS: Mapping[str, Mapping[str, object]] = {
    "cryptography": {},
    "cryptography.hazmat": {},
    "cryptography.hazmat.backends": {"default_backend": None},
    "cryptography.hazmat.primitives": {"hashes": None},
    "cryptography.hazmat.primitives.kdf": {},
    "cryptography.hazmat.primitives.kdf.pbkdf2": {"PBKDF2HMAC": None},
}


@contextmanager
def _left_out(*, secure: bool) -> Iterator[None]:
    """While autobahn is imported: without the libraries that it takes along for what is not used here.

    Other serializers, colours in traces, and cryptography for other ways to log in: 12 MB of the 45 that an agent may
    have. Without TLS, OpenSSL's 5 MB as well.
    """
    os.environ.setdefault("AUTOBAHN_USE_NVX", "0")  # cffi and a compiler's parser, to mask a message a second
    hidden: dict[str, ModuleType | None] = dict.fromkeys(_UNUSED + (() if secure else _UNUSED_WITHOUT_TLS))
    for name, content in _STAND_INS.items():
        hidden[name] = ModuleType(name)
        vars(hidden[name]).update(content, __path__=[])
    hidden = {name: module for name, module in hidden.items() if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None there means: cannot be imported
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class Wamp(NamedTuple):
    """What is used of autobahn and Twisted, imported when the agent is going to connect."""

    reactor: Any
    new_session: Callable[..., Any]
    transport: Callable[..., tuple[Any, Any]]
    ApplicationError: Any
    Deferred: Any
    gather: Callable[..., Any]
    in_thread: Callable[..., Any]
    register_options: Any


def load_wamp(*, secure: bool) -> Wamp:
    """Import autobahn and Twisted, with as little else as possible. Call it once, before anything imports them.

    :raises AgentError: when they are not installed.
    """
    try:
        with _left_out(secure=secure):
            return _wamp()
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] in ("autobahn", "twisted", "txaio"):
            raise AgentError(f'{error}. Install it: pip install "autobahn[twisted]"') from None
        log.debug("autobahn needs %s after all", error.name)
    return _wamp()


def _wamp() -> Wamp:
    """Everything is imported in here, so that :func:`_left_out` holds for all of it."""
    logging.getLogger("autobahn").setLevel(logging.WARNING)  # it would tell that it does without what is left out
    import txaio

    txaio.use_twisted()
    import autobahn.twisted.websocket
    import autobahn.wamp.serializer  # noqa: F401
    import twisted.internet.endpoints
    import twisted.protocols.policies  # noqa: F401 - for those who need them later
    from autobahn.wamp.exception import ApplicationError
    from autobahn.wamp.types import RegisterOptions
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred, gatherResults
    from twisted.logger import globalLogBeginner

    observers: list[Any] = [_observe]
    globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False, discardBuffer=True)
    return Wamp(
        reactor=reactor,
        new_session=_session_class(),
        transport=_transport,
        ApplicationError=ApplicationError,
        Deferred=Deferred,
        gather=gatherResults,
        in_thread=_in_thread,
        register_options=RegisterOptions(force_reregister=True),
    )


def _session_class() -> Callable[..., Any]:
    from autobahn.twisted.wamp import ApplicationSession
    from autobahn.wamp.exception import ApplicationError
    from autobahn.wamp.types import ComponentConfig

    class Session(ApplicationSession):
        """One session of a link; it only passes on what happens."""

        def __init__(self, enrolled: Enrolled, joined: Callable[[Any], None], left: Callable[[str], None]) -> None:
            super().__init__(ComponentConfig(realm=enrolled.realm))
            self._enrolled = enrolled
            self._joined = joined
            self._left = left

        def onConnect(self) -> None:  # noqa: N802 - autobahn's name
            self.join(self._enrolled.realm, ["ticket"], "agent")

        def onChallenge(self, challenge: Any) -> str:  # noqa: N802
            return self._enrolled.ticket

        def onJoin(self, details: Any) -> None:  # noqa: N802
            self._joined(self)

        def onLeave(self, details: Any) -> Any:  # noqa: N802
            self._left(f"{details.message or 'the session ended'} ({details.reason})")
            return super().onLeave(details)

        def onUserError(self, fail: Any, msg: str) -> None:  # noqa: N802
            if not isinstance(fail.value, ApplicationError):
                log.debug("In a session: %s: %s", msg, fail.value)

    return Session


def _transport(url: str, new_session: Callable[[], Any], left: Callable[[str], None]) -> tuple[Any, Any]:
    """The endpoint to connect to, and the factory of the protocol to speak there.

    :param left: told why, when TLS fails.
    """
    from autobahn.twisted.websocket import WampWebSocketClientFactory
    from autobahn.wamp.serializer import JsonSerializer
    from twisted.internet import reactor
    from twisted.internet.endpoints import HostnameEndpoint

    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "wss"
    factory = WampWebSocketClientFactory(new_session, url=url, serializers=[JsonSerializer()])
    factory.setProtocolOptions(
        autoPingInterval=10, autoPingTimeout=5, autoPingSize=12, openHandshakeTimeout=JOIN_TIMEOUT
    )
    endpoint = HostnameEndpoint(reactor, host, parts.port or (443 if secure else 80), timeout=JOIN_TIMEOUT)
    return endpoint, _with_tls(factory, host, left) if secure else factory


def _in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """A thread of its own, which does not keep the program from ending, as the reactor's pool would."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    answer: Any = Deferred()
    hand_back: Callable[..., None] = reactor.callFromThread

    def work() -> None:
        try:
            result = function(*args)
        except Exception:  # a boundary: it is for whoever waits for the answer
            result = Failure()
        hand_back(answer.callback, result)

    threading.Thread(target=work, name=function.__name__, daemon=True).start()
    return answer


def _observe(event: Values) -> None:
    """Twisted's log: what went wrong without anybody looking."""
    failure = event.get("log_failure")
    if failure is not None:
        log.error("Unexpected: %s", failure.getTraceback())


def _with_tls(factory: Any, host: str, left: Callable[[str], None]) -> Any:  # noqa: C901 - a class with a late base
    """TLS under a WebSocket, by Python's own ``ssl``: Twisted's would need pyOpenSSL and 15 MB more."""
    import ssl

    from twisted.internet.defer import Deferred
    from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

    wrapper: Any = ProtocolWrapper  # its methods have no types

    class Tls(wrapper):  # type: ignore[misc]  # same
        transport: Any

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.is_closed: Any = Deferred()
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = tls_context().wrap_bio(self._incoming, self._outgoing, server_hostname=host)
            self._secure = False

        def makeConnection(self, transport: Any) -> None:  # noqa: N802 - Twisted's name
            self.connected = 1
            self.transport = transport
            self._advance()

        def dataReceived(self, data: bytes) -> None:  # noqa: N802
            self._incoming.write(data)
            self._advance()

        def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
            if self._secure:
                super().connectionLost(reason)
            self.is_closed.callback(None)

        def write(self, data: bytes) -> None:
            self._tls.write(data)
            self._flush()

        def writeSequence(self, data: Iterable[bytes]) -> None:  # noqa: N802
            self.write(b"".join(data))

        def _flush(self) -> None:
            if self._outgoing.pending:
                self.transport.write(self._outgoing.read())

        def _advance(self) -> None:
            try:
                if not self._secure:
                    self._tls.do_handshake()
                    self._secure = True
                    self.factory.registerProtocol(self)
                    self.wrappedProtocol.makeConnection(self)
                while data := self._tls.read(65536):
                    super().dataReceived(data)
                self.transport.loseConnection()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                left(f"no safe connection to {host}: {getattr(error, 'verify_message', '') or error.reason or error}")
                self._flush()
                self.transport.abortConnection()
            self._flush()

    wrapping = WrappingFactory(factory)
    wrapping.protocol = Tls
    return wrapping


def _failed(failure: Any) -> str:
    """What a person is told of a failure of Twisted's, or of an error that came over WAMP."""
    error = failure.value
    uri = getattr(error, "error", "")
    if uri:
        return f"{' '.join(map(str, error.args))} ({uri})".strip()
    return failure.getErrorMessage() or type(error).__name__


class Link:
    """Keeps one session with the router, for ever: enrols, connects, joins, and again after whatever ends it.

    :param enrol: blocks, so it is called in a thread.
    :param on_enrolled: with the answer.      :param on_joined: with the session.
    :param on_lost: after a session.
    """

    def __init__(
        self,
        wamp: Wamp,
        enrol: Callable[[], Enrolled],
        *,
        on_enrolled: Callable[[Enrolled], None],
        on_joined: Callable[[Any], None],
        on_lost: Callable[[], None],
        max_delay: float = MAX_DELAY,
    ) -> None:
        self._wamp = wamp
        self._enrol = enrol
        self._on_enrolled = on_enrolled
        self._on_joined = on_joined
        self._on_lost = on_lost
        self._max_delay = max_delay
        self._session: Any = None
        self._protocol: Any = None
        self._since = 0.0
        self._again: Any = None
        self._guard: Any = None
        self._attempts = 0
        self._told = ""
        self._reason = ""
        self._stopping = False

    def start(self) -> None:
        """Begin."""
        self._again = None
        self._reason = ""
        self._wamp.in_thread(self._enrol).addCallback(self._enrolled).addErrback(self._failed)

    def _enrolled(self, enrolled: Enrolled) -> Any:
        if self._stopping:
            return None
        self._on_enrolled(enrolled)
        endpoint, factory = self._wamp.transport(enrolled.url, lambda: self._new_session(enrolled), self._left)
        return endpoint.connect(factory).addCallback(self._opened, enrolled.url)

    def _new_session(self, enrolled: Enrolled) -> Any:
        return self._wamp.new_session(enrolled, self._joined, self._left)

    def _opened(self, protocol: Any, url: str) -> None:
        self._protocol = protocol
        self._guard = self._wamp.reactor.callLater(JOIN_TIMEOUT, self._too_late, url)
        self._protocol.is_closed.addBoth(lambda _: self._closed(url))

    def _too_late(self, url: str) -> None:
        if self._session is None and self._protocol is not None:
            self._reason = f"{url} let nobody join within {JOIN_TIMEOUT:g} s"
            self._protocol.transport.abortConnection()

    def _joined(self, session: Any) -> None:
        self._session = session
        self._since = self._wamp.reactor.seconds()
        self._told = ""
        log.info("Joined the hub's router.")
        self._on_joined(session)

    def _left(self, reason: str) -> None:
        self._reason = reason

    def _closed(self, url: str) -> None:
        if self._guard is not None and self._guard.active():
            self._guard.cancel()
        lasted = self._wamp.reactor.seconds() - self._since if self._session is not None else 0.0
        was_joined, self._session, self._protocol = self._session is not None, None, None
        if was_joined:
            self._on_lost()
        if lasted >= STEADY:
            self._attempts = 0
        self._try_again(self._reason or f"{url} closed the connection")

    def _failed(self, failure: Any) -> None:
        error = failure.value
        if isinstance(error, Refused):
            self._try_again(f"The hub refuses this host: {error}", wait=error.wait)
        elif isinstance(error, (HubError, AgentError)):
            self._try_again(f"No hub: {error}")
        else:
            self._try_again(f"No router: {_failed(failure)}")

    def _try_again(self, problem: str, wait: float | None = None) -> None:
        if self._stopping or self._again is not None:
            return
        self._attempts += 1
        most = wait or min(FIRST_DELAY * GROWTH ** min(self._attempts - 1, 16), self._max_delay)
        delay = _random.uniform(most / 2, most)
        if problem != self._told:
            log.warning("%s. Trying again, from now on without a word until something changes.", problem.rstrip("."))
            self._told = problem
        self._again = self._wamp.reactor.callLater(delay, self.start)

    def leave(self) -> None:
        """Close the session because of something wrong in it; another one follows."""
        if self._session is not None:
            self._session.leave()

    def stop(self) -> Any:
        """Say goodbye; a Deferred that fires when the connection is closed, and never fails."""
        self._stopping = True
        if self._again is not None and self._again.active():
            self._again.cancel()
        closed = self._wamp.Deferred()
        if self._protocol is None:
            closed.callback(None)
            return closed
        self._protocol.is_closed.addBoth(lambda _: closed.callback(None))
        if self._session is not None:
            self._session.leave()
        else:
            self._protocol.transport.abortConnection()
        return closed.addTimeout(1.0, self._wamp.reactor).addErrback(lambda _: None)


# ------------------------------------------------------------------------------------------------------------ the agent

READY = "monitor.agent.ready"
APPEND = "monitor.history.append"
INVALID = "monitor.error.invalid"
DISABLED = "monitor.error.disabled"
INTERNAL = "monitor.error.internal"


class Agent:
    """Samples, publishes, obeys. Everything in the reactor's thread.

    :param clock: Twisted's reactor, or a look-alike with ``callLater`` and ``seconds``.
    :param host: this host's id.        :param config: of the last time; None for a host that is new.
    :param keep: called with a configuration that shall be there at the next start.
    :param leave: called to begin a new session.
    """

    def __init__(
        self,
        wamp: Wamp,
        clock: Any,
        *,
        host: str,
        sampling: Sampling,
        metrics: list[Values],
        buffer: Buffer,
        config: Config | None,
        keep: Callable[[Config], None],
        leave: Callable[[], None],
    ) -> None:
        self._wamp = wamp
        self._clock = clock
        self._host = host
        self._sampling = sampling
        self._metrics = metrics
        self._buffer = buffer
        self._config = config
        self._keep = keep
        self._leave = leave
        self._run = os.urandom(8).hex()
        self._session: Any = None
        self._ready = False
        self._timer: Any = None
        self._last = 0.0
        self._watched_until = 0.0
        self._handover: Any = None
        self._flying = False
        self._setbacks = 0
        self._processes = Processes()
        self._listing: Any = None
        self._warned_skew = False

    # -- sampling

    def start(self) -> None:
        """Begin to sample, by the configuration of the last time until the hub says otherwise."""
        if self._config is not None:
            self._sampling.prime(self._config)
            self._pace(first=WATCHED_INTERVAL)

    @property
    def interval(self) -> float:
        """Seconds between two samples now."""
        frequency = self._config.frequency if self._config is not None else Config().frequency
        return min(frequency, WATCHED_INTERVAL) if self._clock.seconds() < self._watched_until else frequency

    def _pace(self, first: float | None = None) -> None:
        """Plan the next sample anew.

        :param first: seconds until it, when it is not to be counted from the last one.
        """
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._config is None or self._config.disabled:
            return
        now = self._clock.seconds()
        due = now + first if first is not None else max(self._last + self.interval, now)
        self._timer = self._clock.callLater(due - now, self._tick, due)

    def _tick(self, due: float) -> None:
        now = self._clock.seconds()
        self._last = due if now - due < self.interval else now  # after a standstill, go on from here
        self._report()
        self._pace()

    def _report(self) -> None:
        if self._config is None or self._config.disabled:
            return
        sample = self._sampling.take(self._config, self.interval)
        if self._session is not None:
            try:
                self._session.publish(f"monitor.clientstats.{self._host}", sample)
            except Exception as error:  # a boundary: the connection may end between two lines; the history has it
                log.debug("Not published: %s", error)
        self._buffer.append(sample)
        self._plan_handover()

    # -- the session

    def enrolled(self, answer: Enrolled) -> None:
        """The hub's configuration stands, whatever was before."""
        self._sampling.facts["ip"] = answer.ip
        if answer.skew is not None and abs(answer.skew) > MAX_SKEW and not self._warned_skew:
            self._warned_skew = True
            log.warning("This machine's clock and the hub's differ by %.0f s: set it right.", answer.skew)
        if answer.config != self._config:
            self._adopt(answer.config)

    def joined(self, session: Any) -> None:
        """Offer what the hub may call, then tell it so."""
        self._session = session
        offered = {"configure": self.configure, "watch": self.watch, "processes": self.processes}
        registering = [
            session.register(
                self._guarded(function), f"monitor.host.{self._host}.{name}", options=self._wamp.register_options
            )
            for name, function in offered.items()
        ]
        self._wamp.gather(registering, consumeErrors=True).addCallbacks(
            lambda _: self._say_ready(session), lambda failure: self._half(session, failure)
        )

    def lost(self) -> None:
        """The session is gone; samples are kept until there is another."""
        self._session = None
        self._ready = False
        self._watched_until = 0.0
        self._pace()

    def _half(self, session: Any, failure: Any) -> None:
        if session is self._session:
            first = getattr(failure.value, "subFailure", failure)
            log.warning("The router refuses what this agent offers: %s", _failed(first))
            self._leave()

    def _say_ready(self, session: Any) -> None:
        if session is not self._session or self._config is None:
            return
        hello = {
            "agent": __version__,
            "run": self._run,
            "version": self._config.version,
            "metrics": self._metrics,
            "pending": len(self._buffer),
            "dropped": self._buffer.dropped,
            "clock": round(time.time(), 3),
        }
        self._call(session, READY, hello).addCallback(self._welcomed, session).addErrback(self._not_ready, session)

    def _welcomed(self, welcome: Any, session: Any) -> None:
        if session is not self._session:
            return
        config, stored = Config.parse(welcome["config"]), _integer(welcome, "stored", 0)
        self._setbacks = 0
        self._ready = True
        self._buffer.confirm(stored)
        if config != self._config:
            self._adopt(config)
        self.watch(welcome.get("watch", 0))
        self._plan_handover()

    def _not_ready(self, failure: Any, session: Any) -> None:
        if session is self._session:
            delay = self._setback(READY, failure)
            self._clock.callLater(delay, self._say_ready, session)

    def _call(self, session: Any, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """A call that ends: by its answer, with the session, or after a while."""
        try:
            calling = session.call(procedure, *args, **kwargs)
        except Exception as error:  # the session may have ended a moment ago
            calling = self._wamp.Deferred()
            calling.errback(error)
            return calling
        return calling.addTimeout(CALL_TIMEOUT, self._clock)

    def _setback(self, procedure: str, failure: Any) -> float:
        """Seconds until a call that failed is to be made again."""
        self._setbacks += 1
        say = log.warning if self._setbacks == 1 else log.debug
        say("%s: %s; trying again", procedure, _failed(failure))
        return _random.uniform(0.5, 1.0) * min(2.0**self._setbacks, 30.0)

    # -- what the hub may call

    def configure(self, data: object) -> Values:
        """Take over a configuration: in force when this returns, and on the pages at once or a second later."""
        current = self._config or Config()
        try:
            config = Config.parse(data)
        except ConfigError as error:
            return {"accepted": False, "version": current.version, "reason": str(error)}
        if config.version < current.version:
            reason = f"version {config.version} is older than {current.version}, which is in force"
            return {"accepted": False, "version": current.version, "reason": reason}
        self._adopt(config)
        return {"accepted": True, "version": config.version}

    def _adopt(self, config: Config) -> None:
        self._config = config
        self._keep(config)
        if config.disabled:
            self._sampling.prime(config._replace(groups=frozenset()))  # when it is enabled, all begin anew
            self._pace()
        elif self._sampling.prime(config):
            self._pace(first=min(WATCHED_INTERVAL, config.frequency))  # what has begun has no rates yet
        else:
            self._last = self._clock.seconds()
            self._report()
            self._pace()

    def watch(self, seconds: object) -> Values:
        """Sample each second for so long."""
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not seconds >= 0:
            raise self._wamp.ApplicationError(INVALID, f"seconds is {_short(seconds)}; it must be a number from 0 on")
        before = self.interval
        self._watched_until = self._clock.seconds() + min(float(seconds), MAX_WATCH)
        if self.interval != before:
            self._pace()
        return {"interval": self.interval}

    def processes(self, limit: object = 10) -> Any:
        """The processes that use most, measured now; those who ask at the same time are given the same answer."""
        if self._config is not None and self._config.disabled:
            raise self._wamp.ApplicationError(DISABLED, "This host is disabled: enable it to see its processes.")
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_PROCESSES:
            reason = f"limit is {_short(limit)}; it must be a whole number from 1 to {MAX_PROCESSES}"
            raise self._wamp.ApplicationError(INVALID, reason)
        answer = self._wamp.Deferred()
        if self._listing is None:
            self._listing = []
            self._wamp.in_thread(self._processes.top, MAX_PROCESSES).addBoth(self._listed)
        self._listing.append((answer, limit))
        return answer

    def _listed(self, result: Any) -> None:
        asking, self._listing = self._listing, None
        for answer, limit in asking:
            if isinstance(result, dict):
                cut = {name: value[:limit] for name, value in result.items() if isinstance(value, list)}
                answer.callback({**result, **cut})
            else:
                answer.errback(result)

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` as a procedure: what is not meant for the caller stays in the log."""

        def hide(failure: Any) -> NoReturn:
            if isinstance(failure.value, self._wamp.ApplicationError):
                raise failure.value
            log.error("%s failed: %s", function.__name__, failure.getTraceback())
            raise self._wamp.ApplicationError(INTERNAL, "The agent failed; its log says why.")

        def procedure(*args: Any) -> Any:
            answer = self._wamp.Deferred()
            answer.addCallback(lambda _: function(*args)).addErrback(hide)
            answer.callback(None)
            return answer

        return procedure

    # -- the history

    def _plan_handover(self, delay: float | None = None) -> None:
        """Hand over soon, unless that is planned or under way."""
        planned = self._handover is not None and self._handover.active()
        if self._flying or planned or not self._ready or not len(self._buffer) or self._config is None:
            return
        gather = 0.0 if self.interval >= self._config.handover else self._config.handover
        if self._buffer.full_batch:
            gather = _random.uniform(*BATCH_PAUSE)
        self._handover = self._clock.callLater(gather if delay is None else delay, self.hand_over)

    def hand_over(self) -> Any:
        """Hand over one batch; a Deferred that never fails, and fires when it is settled."""
        session = self._session
        if session is None or self._flying or not self._ready or not len(self._buffer):
            done = self._wamp.Deferred()
            done.callback(None)
            return done
        samples = self._buffer.batch()
        self._flying = True
        calling = self._call(session, APPEND, samples, dropped=self._buffer.dropped, clock=round(time.time(), 3))
        return calling.addCallback(self._appended).addErrback(self._not_appended)

    def _appended(self, answer: Any) -> None:
        stored = _integer(answer, "stored", 0)
        before = len(self._buffer)
        self._flying = False
        self._buffer.confirm(stored)
        self._setbacks = 0 if len(self._buffer) < before else self._setbacks + 1
        self._plan_handover()

    def _not_appended(self, failure: Any) -> None:
        self._flying = False
        if getattr(failure.value, "error", None) == INVALID:
            log.warning("The hub cannot take samples: %s", _failed(failure))
            self._buffer.refuse()
            self._plan_handover(delay=BATCH_PAUSE[0])
            return
        self._buffer.again()
        if self._session is not None:
            self._plan_handover(delay=self._setback(APPEND, failure))

    def stop(self) -> Any:
        """Hand over what there is, if that is quick; a Deferred that never fails."""
        self._config = None
        self._pace()
        if self._handover is not None and self._handover.active():
            self._handover.cancel()
        return self.hand_over().addTimeout(1.0, self._clock).addErrback(lambda _: None)


# -------------------------------------------------------------------------------------------------------- running it


def run(settings: Settings) -> None:
    """Run the agent until it is told to stop.

    :raises AgentError: when it cannot start.
    """
    if not settings.server:
        raise AgentError("Which hub? Start with --server http://hub:8080 (or WAMPFLASK_AGENT_SERVER).")
    state = State(settings.state)
    state.open()
    host, config = state.host(), state.read_config()
    state.key()
    wamp = load_wamp(secure=settings.server.startswith("https:"))
    buffer = Buffer(settings.buffer)
    _load_unsent(state, buffer)
    measures = samplers(settings.root)
    agent = Agent(
        wamp,
        wamp.reactor,
        host=host,
        sampling=Sampling(measures, {"host": host, "name": settings.name, "ip": ""}),
        metrics=declarations(measures),
        buffer=buffer,
        config=config,
        keep=state.write_config,
        leave=lambda: link.leave(),  # noqa: PLW0108 - there is no link yet
    )
    link = Link(
        wamp,
        Hub(settings.server, settings.token, settings.name, state).enrol,
        on_enrolled=agent.enrolled,
        on_joined=agent.joined,
        on_lost=agent.lost,
    )
    log.info("Host %s (%s), agent %s, hub %s", host, settings.name, __version__, settings.server)
    wamp.reactor.callWhenRunning(agent.start)
    wamp.reactor.callWhenRunning(link.start)

    def stop() -> Any:
        log.info("Stopping.")
        leaving = agent.stop().addCallback(lambda _: link.stop())
        leaving.addTimeout(STOP_TIMEOUT, wamp.reactor).addErrback(lambda _: None)
        return leaving.addCallback(lambda _: _keep_unsent(state, buffer))

    wamp.reactor.addSystemEventTrigger("before", "shutdown", stop)
    wamp.reactor.run()
    state.close()


def _load_unsent(state: State, buffer: Buffer) -> None:
    file = state.folder / "unsent"
    with suppress(FileNotFoundError):
        buffer.load(file.read_text(encoding="utf-8", errors="replace"))
        file.unlink()


def _keep_unsent(state: State, buffer: Buffer) -> None:
    if not len(buffer):
        return
    try:
        state.write("unsent", buffer.dump())
        log.info("%d samples are kept for the next start.", len(buffer))
    except OSError as error:
        log.warning("%d samples are lost: cannot write %s: %s", len(buffer), state.folder, error.strerror)


def once(settings: Settings) -> Values:
    """One sample, with everything; rates are over one second."""
    measures = samplers(settings.root)
    config = Config()
    sampling = Sampling(measures, {"host": State(settings.state).known_host(), "name": settings.name, "ip": ""})
    sampling.prime(config)
    time.sleep(1.0)
    for sampler in measures:
        if isinstance(sampler, Disks):
            sampler.wait(2.0)
    return sampling.take(config, config.frequency)


# -------------------------------------------------------------------------------------------------------------- --check


class Finding(NamedTuple):
    """One line of ``--check``."""

    good: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok    ' if self.good else 'WRONG '} {self.text}"


def check(settings: Settings) -> Iterator[Finding]:
    """Look at everything that an agent needs, in order; stops where the rest depends on what is wrong.

    It enrols as the agent would, so a host that is new to the hub is known to it afterwards.
    """
    yield Finding(True, f"Python {sys.version.split()[0]}, psutil {psutil.__version__}, agent {__version__}")
    yield from _check_samplers(settings)
    if not settings.server:
        yield Finding(False, "No hub is named: --server http://hub:8080, or WAMPFLASK_AGENT_SERVER, or a file")
        return
    try:
        wamp = load_wamp(secure=settings.server.startswith("https:"))
        state = State(settings.state)
        with suppress_running(state) as running:
            yield Finding(True, f"Identity in {state.folder}: host {state.host()}" + (", in use" if running else ""))
            state.key()
        enrolled = Hub(settings.server, settings.token, settings.name, state).enrol()
    except (AgentError, HubError) as error:
        yield Finding(False, _clear(error, settings))
        return
    state.write_config(enrolled.config)
    yield Finding(True, f"{settings.server} knows this host, which reaches it as {enrolled.ip}")
    if enrolled.skew is not None:
        near = abs(enrolled.skew) <= MAX_SKEW
        yield Finding(
            near, f"The hub's clock is {enrolled.skew:+.0f} s" + ("" if near else ": set this machine's clock")
        )
    problem = _try_router(wamp, enrolled)
    yield Finding(not problem, f"The router at {enrolled.url} " + (problem or "lets this host join"))
    if enrolled.config.disabled:
        yield Finding(True, "The hub has this host disabled: it will send nothing until it is enabled")


def _clear(error: Exception, settings: Settings) -> str:
    text = str(error)
    if isinstance(error, Refused):
        text = f"{settings.server} refuses this host: {text}"
        if error.code == "token_missing":
            text += " (start with --token, from the hub's admin page)"
    return text


@contextmanager
def suppress_running(state: State) -> Iterator[bool]:
    """The state's folder, also when an agent runs in it: whether one does."""
    try:
        state.open()
    except AgentError:
        if not state.known_host():
            raise
        yield True
        return
    try:
        yield False
    finally:
        state.close()


def _check_samplers(settings: Settings) -> Iterator[Finding]:
    sample = once(settings)
    failed = sample.get("failed", {})
    for sampler in samplers(settings.root):
        name = type(sampler).__name__.lower()
        heads = dict.fromkeys(metric.name.partition(".")[0] for metric in sampler.metrics)
        there = [head for head in heads if head in sample]
        missing = "" if there else " (this machine shows none)"
        yield Finding(name not in failed, f"Measures {', '.join(heads)}{missing}" + _because(failed.get(name)))


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _try_router(wamp: Wamp, enrolled: Enrolled) -> str:
    """Join the router, and leave; what is wrong, or ""."""
    problems: list[str] = ["did not answer"]

    def joined(session: Any) -> None:
        problems.clear()
        session.leave()

    def left(reason: str) -> None:
        problems[:1] = [f"says: {reason}"] if problems else []

    def end(result: Any) -> None:
        if problems and hasattr(result, "getErrorMessage"):
            problems[:] = [f"cannot be reached: {_failed(result)}"]
        if wamp.reactor.running:
            wamp.reactor.stop()

    def begin() -> None:
        endpoint, factory = wamp.transport(enrolled.url, lambda: wamp.new_session(enrolled, joined, left), left)
        opening = endpoint.connect(factory).addCallback(lambda protocol: protocol.is_closed)
        opening.addTimeout(JOIN_TIMEOUT, wamp.reactor).addBoth(end)

    wamp.reactor.callWhenRunning(begin)
    wamp.reactor.run()
    return problems[0] if problems else ""


# --------------------------------------------------------------------------------------------- --systemd, --container


def program() -> list[str]:
    """How this program is started."""
    script = Path(sys.argv[0]).absolute()
    return [sys.executable, str(script)] if script.suffix == ".py" else [str(script)]


def systemd_unit(settings: Settings) -> str:
    """A unit for systemd. The token is not in it, because every user of a machine may read units."""
    start = " ".join(_quoted(part) for part in program())
    return f"""\
# wampflask's monitoring agent. Put it to work:
#   {" ".join(program())} --systemd | sudo tee /etc/systemd/system/wampflask-agent.service
#   echo WAMPFLASK_AGENT_TOKEN=<from the hub's admin page> | sudo install -m 600 /dev/stdin /etc/wampflask-agent.env
#   sudo systemctl enable --now wampflask-agent
# The token is needed once; the file may be removed when the host is on the dashboard.
[Unit]
Description=wampflask monitoring agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={start}
Environment={_quoted(f"WAMPFLASK_AGENT_SERVER={settings.server or 'http://hub:8080'}")}
Environment=WAMPFLASK_AGENT_STATE=%S/wampflask-agent
EnvironmentFile=-/etc/wampflask-agent.env
DynamicUser=yes
StateDirectory=wampflask-agent
StateDirectoryMode=0700
Restart=always
RestartSec=5
MemoryMax=128M
Nice=5
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
CapabilityBoundingSet=
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def _quoted(text: str) -> str:
    """A word of a unit file."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if re.search(r"[\s\"'\\]", escaped) else escaped


def compose_file(settings: Settings) -> str:
    """A compose file with its image's recipe, to lie beside a copy of this file named ``agent.py``."""
    server = json.dumps(settings.server or "http://hub:8080")
    name = json.dumps(settings.name)
    return f"""\
# wampflask's monitoring agent in a container. Save this as compose.yaml beside a copy of
# {Path(__file__).absolute()}, then:
#   WAMPFLASK_AGENT_TOKEN=<from the hub's admin page> docker compose up -d
# The token is needed once. The container sees the host's processes, network and file systems, and can change nothing.
services:
  wampflask-agent:
    build:
      context: .
      dockerfile_inline: |
        FROM python:3.13-slim
        RUN pip install --no-cache-dir psutil "autobahn[twisted]"
        COPY agent.py /agent.py
        RUN mkdir -m 700 /state && chown 65534:65534 /state
        USER 65534:65534
        ENTRYPOINT ["python", "/agent.py"]
    environment:
      WAMPFLASK_AGENT_SERVER: {server}
      WAMPFLASK_AGENT_TOKEN: ${{WAMPFLASK_AGENT_TOKEN:-}}
      WAMPFLASK_AGENT_NAME: {name}
      WAMPFLASK_AGENT_STATE: /state
      WAMPFLASK_AGENT_ROOT: /host
    volumes:
      - /:/host:ro,rslave
      - state:/state
    network_mode: host
    pid: host
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: 128m
    restart: always
volumes:
  state:
"""


# ---------------------------------------------------------------------------------------------------- the command line


def parser() -> argparse.ArgumentParser:
    """The command line."""
    text = argparse.ArgumentParser(
        prog="wampflask-agent",
        description="Shows this host on a wampflask dashboard, live.",
        epilog=(
            "Each option may stand in the environment (WAMPFLASK_AGENT_SERVER, …_TOKEN and so on) or in "
            f"{' or '.join(CONFIG_FILES)} (server = http://hub:8080). A private certificate authority: SSL_CERT_FILE."
        ),
    )
    text.add_argument("--server", metavar="URL", help="the hub, such as http://hub:8080")
    text.add_argument("--token", help="from the hub's admin page; needed the first time only")
    text.add_argument("--name", help="shown on the dashboard (this machine's host name)")
    text.add_argument("--state", metavar="FOLDER", help="for identity and key (/var/lib/wampflask-agent for root)")
    text.add_argument("--root", metavar="FOLDER", help="where a container sees the host's file systems")
    text.add_argument("--buffer", metavar="MIB", help="for samples while the hub is away (2)")
    text.add_argument("--config", metavar="FILE", help="with these settings, a line each: name = value")
    text.add_argument("--verbose", action="store_true", help="say more")
    text.add_argument("--version", action="version", version=f"wampflask-agent {__version__}")
    what = text.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="print one sample as JSON, and end")
    what.add_argument("--check", action="store_true", help="say what is wrong with the set-up, and end")
    what.add_argument("--systemd", action="store_true", help="print a systemd unit")
    what.add_argument("--container", action="store_true", help="print a compose file to run in a container")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; its exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        settings = Settings.gather(vars(options), os.environ)
        if options.once:
            print(json.dumps(once(settings), indent=2))
        elif options.systemd:
            print(systemd_unit(settings), end="")
        elif options.container:
            print(compose_file(settings), end="")
        elif options.check:
            return _print_check(settings)
        else:
            run(settings)
    except AgentError as error:
        print(f"wampflask-agent: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130
    return 0


def _print_check(settings: Settings) -> int:
    logging.disable(logging.WARNING)
    wrong = 0
    for finding in check(settings):
        wrong += not finding.good
        print(finding, flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
