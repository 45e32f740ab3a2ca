"""Samplers of file systems and drives."""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from . import metrics
from .sampler import MAX_NAMES, Rates, Sampler, Values, named, ratio
from .text import clean, describe


class Mount(NamedTuple):
    """A mounted file system: what is mounted, the place that is shown, and the path to ask."""

    device: str
    name: str
    path: str


class Disks(Sampler):
    """How full the mounted local file systems are; network file systems hang when their server does, and belong to it.

    A drive that does not answer holds up only itself: sizes are read in a thread, which is left behind when a file
    system takes longer than ``patience`` seconds. That one is named in ``trouble``, and read again once it has
    answered.

    :param root: where the host's file systems are seen, "" but for containers.
    :param every: seconds between two measurements.
    """

    metrics = metrics.DISKS

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
        """Wait until the measurement that was begun is done."""
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
        except Exception as error:  # a boundary: the thread ends with a reason for the report, not with a traceback
            self.trouble = describe(error)
        finally:
            self.done.set()

    def _measure(self, mount: Mount) -> bool:
        """Return whether it is a file system with a size; a container's ``/etc/hosts`` is mounted, too, and is not."""
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
            "ratio": ratio(usage.used, usage.used + usage.free),
        }
        return True


def mounts(root: str = "") -> list[Mount]:
    """Return the mounted file systems of drives, and the one at ``/``; short paths first. Touches none of them.

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
    """Return the kinds of file systems that this kernel keeps on drives, without those that are always full."""
    with suppress(OSError):
        lines = file.read_text(encoding="utf-8").splitlines()
        kinds = {line.strip() for line in lines if not line.startswith("nodev")}
        return (kinds | {"zfs"}) - {"squashfs", "iso9660", "udf", "erofs", "cramfs"}
    return set()


class DiskIo(Sampler):
    """What drives read and write."""

    metrics = metrics.DISK_IO
    _no_drive = re.compile(r"(loop|ram|zram|dm-|sr|fd|nbd)\d")

    def __init__(self, root: str = "") -> None:
        self._blocks = Path(f"{root}/sys/block")
        self._rates = Rates()

    def prime(self, now: float) -> None:
        self._rates.of(self._counters(), now)

    def sample(self, now: float) -> Values:
        names = ("read", "written", "reads", "writes")
        rates = self._rates.of(self._counters(), now)
        return named("disk_io", {name: dict(zip(names, values)) for name, values in rates.items()})

    def _counters(self) -> dict[str, Sequence[float]]:
        counters = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
        drives = {block.name for block in self._blocks.iterdir()} if self._blocks.is_dir() else set(counters)
        return {
            name: (io.read_bytes, io.write_bytes, io.read_count, io.write_count)
            for name, io in sorted(counters.items())
            if name in drives and not self._no_drive.match(name)
        }
