"""Each sampler against its own declaration: real ones where this machine has them, else a tree like a real one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import psutil
import pytest
from wampflask_agent.config import Config
from wampflask_agent.disks import DiskIo, Disks
from wampflask_agent.metrics import CPUS, METRICS
from wampflask_agent.processes import Processes
from wampflask_agent.reports import Reporter
from wampflask_agent.sampler import MAX_NAMES, Rates, Sampler, named
from wampflask_agent.samplers import Cpus, Memory, Network, System, Temperatures, all_samplers
from wampflask_agent.text import MAX_NAME, clean

from wampflask.apps.monitor import contract

SAMPLERS = (Cpus, Memory, Disks, DiskIo, Network, Temperatures, System)


MOUNTS = r"""/dev/sda1 / ext4 rw 0 0
/dev/sda1 /etc/hosts ext4 rw 0 0
proc /proc proc rw 0 0
/dev/sdb1 /mnt/<img\040src=x> xfs rw 0 0
/dev/sdb1 /f xfs rw 0 0
/dev/sdb1 /mnt/again/further/down xfs rw 0 0
/dev/sdc1 /gone ext4 rw 0 0
/dev/loop1 /snap/core squashfs ro 0 0
server:/data /net nfs rw 0 0
tmpfs /tmp tmpfs rw 0 0
short
"""


@pytest.fixture
def host(tmp_path: Path) -> str:
    """A host's file systems as a container sees them: mounts, kinds, drives, sensors, all hostile where they can be."""
    files = {
        "proc/1/mounts": MOUNTS,
        "proc/filesystems": "nodev\tproc\nnodev\ttmpfs\nnodev\tnfs\n\text4\n\txfs\n\tsquashfs\n",
        "sys/class/hwmon/hwmon0/name": "coretemp\n",
        "sys/class/hwmon/hwmon0/temp1_input": "47500\n",
        "sys/class/hwmon/hwmon0/temp1_label": "Package id 0\n",
        "sys/class/hwmon/hwmon0/temp2_input": "41000\n",
        "sys/class/hwmon/hwmon1/name": "<script>alert(1)</script>\n",
        "sys/class/hwmon/hwmon1/temp1_input": "-128000\n",
        "sys/class/hwmon/hwmon1/temp2_input": "asleep\n",
        "sys/class/hwmon/hwmon1/temp3_input": "30000\n",
        "etc/hosts": "",
        "f": "a file that is mounted",
    }
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for folder in ("mnt/<img src=x>", "snap/core", "net", "tmp"):
        (tmp_path / folder).mkdir(parents=True)
    return str(tmp_path)


def names(value: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """The declared names of what stands in a sample, with the numbers; instances become ``*``."""
    if isinstance(value, dict):
        inner = path and path[-1] != "*" and path[0] in INSTANCED
        for key, below in value.items():
            yield from names(below, *path, "*" if inner else key)
    elif isinstance(value, list):
        for below in value:
            yield from names(below, *path, "*")
    else:
        yield ".".join(path), value


INSTANCED = {metric.name.partition(".")[0] for sampler in SAMPLERS for metric in sampler.metrics if ".*" in metric.name}


def measured(sampler: Sampler) -> dict[str, Any]:
    """Two samples' worth, so that there are rates."""
    now = time.monotonic()
    sampler.prime(now)
    time.sleep(0.15)
    if isinstance(sampler, Disks):
        sampler.wait(5)
    return sampler.sample(time.monotonic())


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_sampler_measures_what_it_declares(kind: type[Sampler], host: str) -> None:
    sampler = Temperatures(host) if kind is Temperatures else kind()
    found = list(names(measured(sampler)))
    units = {metric.name: metric.unit for metric in sampler.metrics}
    assert {name for name, _ in found} == set(units)
    for name, value in found:
        assert isinstance(value, (int, float)), name
        assert not isinstance(value, bool)
        assert value >= 0
        if units[name] == "ratio":
            assert value <= 1, name
        if units[name] == "bytes":
            assert isinstance(value, int), name
    assert sampler.trouble == ""


def test_declarations_are_those_of_the_contract() -> None:
    hints = get_type_hints(contract.Metric)
    for metric in METRICS:
        assert set(metric._fields) == set(hints)
        assert metric.unit in get_args(hints["unit"])
        assert metric.kind in get_args(hints["kind"])
        assert metric.group in contract.DEFAULT_CONFIG


def test_each_declared_metric_is_measured_by_one_sampler() -> None:
    assert sorted(METRICS) == sorted(metric for sampler in all_samplers() for metric in sampler.metrics)
    for sampler in all_samplers():
        assert len({metric.group for metric in sampler.metrics}) == 1, "a sampler is switched on and off as a whole"


def test_numbers_agree_with_the_machine() -> None:
    memory = measured(Memory())["memory"]
    assert memory["total"] == psutil.virtual_memory().total
    assert memory["used"] == memory["total"] - memory["available"]
    assert memory["ratio"] == pytest.approx(memory["used"] / memory["total"], abs=1e-4)
    root = measured(Disks())["disks"]["/"]
    assert root["total"] == psutil.disk_usage("/").total
    assert len(measured(Cpus())["cpus"]) == psutil.cpu_count()
    assert measured(System())["uptime"] == pytest.approx(time.time() - psutil.boot_time(), abs=5)


def test_rates_are_per_second() -> None:
    rates = Rates()
    assert rates.of({"a": (100, 5), "b": (1, 1)}, 10.0) == {}
    assert rates.of({"a": (300, 5), "c": (1, 1)}, 12.0) == {"a": [100.0, 0.0]}
    assert rates.of({"a": (200, 6), "c": (2, 1)}, 13.0) == {"c": [1.0, 0.0]}, "a counter that fell has no rate"
    assert rates.of({"a": (200, 6)}, 13.0) == {}, "no time has passed"


def test_mounted_drives_are_listed_once_and_only_they(host: str) -> None:
    asked = []

    def usage(path: str) -> Any:
        asked.append(path)
        return SimpleNamespace(total=100, used=20, free=60)

    disks = Disks(host, usage=usage)
    disks.prime(0)
    disks.wait(5)
    assert list(disks.sample(1)["disks"]) == ["/", "/mnt/<img src=x>"]
    assert asked == [f"{host}/", f"{host}/mnt/<img src=x>"]


def test_sensors_are_read_and_broken_ones_left_out(host: str) -> None:
    found = Temperatures(host).sample(0)
    assert found == {
        "temperatures": {
            "coretemp Package id 0": 47.5,
            "coretemp temp2": 41.0,
            "<script>alert(1)</script> temp3": 30.0,
        }
    }


def test_thermal_zones_are_read_where_there_are_no_other_sensors(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("51234\n")
    assert Temperatures(str(tmp_path)).sample(0) == {"temperatures": {"cpu-thermal": 51.2}}


def test_a_machine_without_sensors_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "sys").mkdir()
    assert Temperatures(str(tmp_path)).sample(0) == {}


def test_a_drive_that_hangs_stops_nothing_but_itself(host: str) -> None:
    asked, answer = threading.Event(), threading.Event()

    def usage(path: str) -> Any:
        if "img" in path:
            asked.set()
            assert answer.wait(10)
        return SimpleNamespace(total=100, used=20, free=60)

    disks = Disks(host, every=5, patience=3, usage=usage)
    try:
        disks.prime(0)
        assert asked.wait(5)
        assert disks.sample(1) == {}
        disks.sample(4)  # its patience is over; the others are asked anew
        disks.wait(5)
        assert list(disks.sample(5)["disks"]) == ["/"]
        assert disks.trouble == "/mnt/<img src=x> does not answer"
        assert disks.sample(5)["disks"]["/"] == {"total": 100, "used": 20, "free": 60, "ratio": 0.25}
    finally:
        answer.set()
    for left_behind in disks._stuck.values():
        assert left_behind.done.wait(5)
    for moment in (11, 12, 20, 21):
        disks.sample(moment)
        disks.wait(5)
    assert list(disks.sample(22)["disks"]) == ["/", "/mnt/<img src=x>"]
    disks.wait(5)
    assert disks.trouble == ""


def test_a_drive_that_cannot_be_read_is_named(host: str) -> None:
    def usage(path: str) -> Any:
        if "img" in path:
            raise PermissionError(13, "Permission denied")
        return SimpleNamespace(total=100, used=20, free=60)

    disks = Disks(host, usage=usage)
    disks.prime(0)
    disks.wait(5)
    assert list(disks.sample(1)["disks"]) == ["/"]
    assert disks.trouble == "/mnt/<img src=x>: Permission denied"


class Broken(Sampler):
    metrics = CPUS

    def prime(self, now: float) -> None:
        raise OSError(5, "no luck")

    def sample(self, now: float) -> dict[str, Any]:
        raise RuntimeError("the sensor \udcff burnt down " + "x" * 1000)


def test_a_sampler_that_fails_is_named_and_stops_no_other() -> None:
    sampling = Reporter([Broken(), Memory(), System()], {"host": "h", "name": "n", "ip": ""})
    sampling.prime(Config())
    sample = sampling.take(Config(), 5.0)
    assert {"memory", "uptime"} < set(sample)
    assert sample["failed"]["broken"].startswith("RuntimeError: the sensor ? burnt down xxx")
    assert len(sample["failed"]["broken"]) <= 300


def test_groups_that_are_off_are_not_sampled() -> None:
    sampling = Reporter([Broken(), Memory()], {})
    config = Config(groups=frozenset({"show_memory"}))
    sampling.prime(config)
    assert set(sampling.take(config, 1.0)) == {"time", "interval", "version", "memory", "swap"}


def test_times_go_forward_unless_the_clock_is_set_back() -> None:
    clock = iter([100.0, 100.0, 99.0, 100.5, 50.0, 50.0, 51.0])
    sampling = Reporter([], {}, wall=lambda: next(clock))
    times = [sampling.take(Config(), 1.0)["time"] for _ in range(7)]
    assert times == [100.0, 100.001, 100.002, 100.5, 50.0, 50.001, 51.0]


def test_names_travel_whatever_bytes_they_are() -> None:
    assert clean(b"disk \xff <b>".decode("utf-8", "surrogateescape")) == "disk ? <b>"
    assert len(clean("x" * 5000)) == MAX_NAME
    json.dumps(named("disks", {f"\udc80{n}": 1 for n in range(100)})).encode("utf-8")
    assert len(named("disks", dict.fromkeys(map(str, range(100)), 1))["disks"]) == MAX_NAMES


def test_processes_are_sorted_and_cut() -> None:
    found = Processes().top(3)
    assert set(found) == set(contract.Processes.__annotations__)
    assert len(found["by_cpu"]) == len(found["by_memory"]) == 3
    assert found["count"] == pytest.approx(len(psutil.pids()), abs=20)
    assert found["by_cpu"][0]["cpu"] >= found["by_cpu"][-1]["cpu"]


def test_a_second_list_of_processes_does_not_wait() -> None:
    processes = Processes()
    processes.top(1)
    began = time.monotonic()
    processes.top(1)
    assert time.monotonic() - began < 0.4
