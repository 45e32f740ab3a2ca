"""A real agent process with a real router: enrolled, heard, configured, watched, asked."""

from __future__ import annotations

import contextlib
import stat
import time
from pathlib import Path

import psutil
import pytest

from rig.agent import AgentProcess
from rig.hub import Hub, wait_for
from tests.agent.conftest import StartAgent
from wampflask.apps.monitor import contract
from wampflask.router.wire import Refused
from wampflask.testing import RouterNode


def test_a_new_host_enrols_and_is_heard(hub: Hub, start: StartAgent) -> None:
    start("--name", "web 1")
    name, host = hub.one()
    wait_for(lambda: len(host.events) > 2, "three events")
    sample = host.events[-1]
    assert (sample["host"], sample["name"], sample["ip"]) == (name, "web 1", "127.0.0.1")
    assert sample["interval"] == 0.5
    assert sample["version"] == 1
    assert {"cpu", "cpus", "load", "memory", "swap", "disks", "uptime", "processes"} < set(sample)
    assert "failed" not in sample
    assert abs(sample["time"] - time.time()) < 5


def test_every_event_is_also_stored_once_in_order(hub: Hub, start: StartAgent) -> None:
    start()
    _, host = hub.one()
    wait_for(lambda: len(host.samples) > 4, "five samples stored")
    assert [sample["seq"] for sample in host.samples] == list(range(1, len(host.samples) + 1))
    assert host.again == 0
    stored = {sample["time"] for sample in host.samples}
    assert {event["time"] for event in host.events[:4]} <= stored


def test_the_second_start_uses_the_key_and_is_the_same_host(hub: Hub, start: StartAgent) -> None:
    token = hub.token()
    first = start(token=token)
    name, host = hub.one()
    wait_for(lambda: host.stored, "samples stored")
    assert first.stop() == 0
    stored = host.stored
    start(token=token)
    wait_for(lambda: len(host.hellos) > 1, "the host is back")
    wait_for(lambda: host.stored > stored, "more samples stored")
    assert list(hub.hosts) == [name]
    assert [sample["seq"] for sample in host.samples] == list(range(1, len(host.samples) + 1))
    assert ["token" in request for request in hub.requests] == [True, False]
    assert host.hellos[0]["run"] != host.hellos[1]["run"]


def test_a_hub_that_forgot_the_host_is_given_the_token(hub: Hub, start: StartAgent) -> None:
    token = hub.token()
    first = start(token=token)
    name, _ = hub.one()
    first.stop()
    hub.hosts.clear()
    start(token=token)
    assert hub.one()[0] == name
    assert ["token" in request for request in hub.requests] == [True, False, True]


def test_what_the_agent_keeps_is_for_its_user_alone(hub: Hub, start: StartAgent, tmp_path: Path) -> None:
    agent = start()
    hub.one()
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in agent.state.iterdir()}
    assert modes == {"host": 0o600, "key": 0o600, "config.json": 0o600, "lock": 0o600}
    assert stat.S_IMODE(agent.state.stat().st_mode) == 0o700
    agent.stop()
    (agent.state / "key").chmod(0o644)
    again = start()
    wait_for(lambda: "the file is private now" in again.log(), "the agent says that the key was open")
    assert stat.S_IMODE((agent.state / "key").stat().st_mode) == 0o600


def test_no_secret_is_logged(hub: Hub, start: StartAgent) -> None:
    token = hub.token()
    agent = start("--verbose", token=token)
    _, host = hub.one()
    wait_for(lambda: host.stored, "samples stored")
    log = agent.log()
    assert host.key not in log
    assert token not in log


def test_it_takes_no_more_memory_than_promised(hub: Hub, start: StartAgent) -> None:
    agent = start()
    name, host = hub.one()
    wait_for(lambda: host.stored > 2, "samples stored")
    hub.call(name, contract.PROCESSES, 100)
    assert psutil.Process(agent.pid).memory_info().rss < 40e6


def test_a_group_that_is_switched_off_is_gone_at_once(hub: Hub, start: StartAgent) -> None:
    start()
    name, host = hub.one()
    wait_for(lambda: host.events, "an event")
    began = time.monotonic()
    assert hub.configure(name, show_cpus=False, frequency=30.0) == {"accepted": True, "version": 2}
    last = wait_for(lambda: host.events[-1]["version"] == 2 and host.events[-1], "an event by the new config")
    assert time.monotonic() - began < 2
    assert not {"cpu", "cpus", "load"} & set(last)
    assert "memory" in last
    assert last["interval"] == 30.0


def test_a_group_that_is_switched_on_is_back_within_a_second(hub: Hub, start: StartAgent) -> None:
    hub.defaults["show_memory"] = False
    start()
    name, host = hub.one()
    wait_for(lambda: host.events, "an event")
    assert "memory" not in host.events[-1]
    hub.configure(name, show_memory=True, frequency=30.0)
    wait_for(lambda: "memory" in host.events[-1], "memory is reported", 2.0)


def test_the_pace_follows_the_frequency(hub: Hub, start: StartAgent) -> None:
    start()
    name, host = hub.one()
    hub.configure(name, frequency=1.0)
    count = len(host.events)
    wait_for(lambda: len(host.events) >= count + 5, "five more events")
    times = [event["time"] for event in host.events[count:]]
    assert (times[-1] - times[0]) / (len(times) - 1) == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"frequency": 0.1}, "frequency is 0.1; it must be a number of seconds from 0.5 to 3600"),
        ({"frequency": "fast"}, "frequency is 'fast'; it must be a number"),
        ({"show_disk": 1}, "show_disk is 1; it must be true or false"),
        ({"version": 0}, "version 0 is older than 1, which is in force"),
    ],
)
def test_a_wrong_config_is_refused_with_the_reason(
    hub: Hub, start: StartAgent, changes: dict[str, object], reason: str
) -> None:
    start()
    name, host = hub.one()
    answer = hub.call(name, contract.CONFIGURE, {**host.config, **changes})
    assert answer.pop("reason").startswith(reason)
    assert answer == {"accepted": False, "version": 1}
    seen = len(host.events)
    wait_for(lambda: len(host.events) > seen, "the old config goes on")


def test_a_disabled_host_is_silent_and_can_be_enabled(hub: Hub, start: StartAgent) -> None:
    start()
    name, host = hub.one()
    wait_for(lambda: host.events, "an event")
    assert hub.configure(name, disabled=True)["accepted"]
    seen = len(host.events)
    with pytest.raises(Refused) as refused:
        hub.call(name, contract.PROCESSES, 3)
    assert refused.value.uri == contract.DISABLED
    time.sleep(1.2)  # that nothing comes can only be seen by waiting
    assert len(host.events) == seen
    hub.configure(name, disabled=False)
    wait_for(lambda: len(host.events) > seen, "it is heard again")
    assert "cpus" in host.events[-1]


def test_a_host_that_starts_disabled_says_nothing(hub: Hub, start: StartAgent) -> None:
    hub.defaults["disabled"] = True
    start()
    _, host = hub.one()
    time.sleep(1.2)
    assert host.events == host.samples == []


def test_an_edit_between_enrolment_and_joining_is_not_lost(hub: Hub, start: StartAgent) -> None:
    """The config that the agent is welcomed with is newer than the one that it enrolled with."""
    enrol = hub.enrol

    def enrol_then_edit(body: object) -> tuple[int, dict[str, object]]:
        status, answer = enrol(body)
        for host in hub.hosts.values():
            host.config = {**host.config, "version": 9, "show_disk": False}
        return status, answer

    hub.enrol = enrol_then_edit  # type: ignore[method-assign]
    start()
    _, host = hub.one()
    wait_for(lambda: host.events and host.events[-1]["version"] == 9, "events by the newer config")
    assert "disks" not in host.events[-1]


def test_it_reports_each_second_while_somebody_looks(hub: Hub, start: StartAgent) -> None:
    hub.defaults["frequency"] = 3600.0
    start()
    name, host = hub.one()
    assert hub.call(name, contract.WATCH, 3) == {"interval": 1.0}
    wait_for(lambda: len(host.events) >= 3, "three events", 5)
    assert host.events[-1]["interval"] == 1.0
    time.sleep(2.5)
    seen = len(host.events)
    assert seen <= 5
    assert hub.call(name, contract.WATCH, 60) == {"interval": 1.0}
    wait_for(lambda: len(host.events) > seen, "watched again", 3)
    assert hub.call(name, contract.WATCH, 0) == {"interval": 3600.0}


def test_whoever_looks_while_it_joins_is_served(hub: Hub, start: StartAgent) -> None:
    hub.defaults["frequency"] = 3600.0
    agent = start()
    _, host = hub.one()
    agent.stop()
    host.watch = 30.0
    start()
    wait_for(lambda: len(host.events) >= 3, "events each second", 10)


@pytest.mark.parametrize("wrong", ["x", -1, None, True])
def test_a_wrong_watch_is_refused(hub: Hub, start: StartAgent, wrong: object) -> None:
    start()
    name, _ = hub.one()
    with pytest.raises(Refused, match="seconds is") as refused:
        hub.call(name, contract.WATCH, wrong)
    assert refused.value.uri == contract.INVALID


def test_processes_are_measured_when_asked_for(hub: Hub, node: RouterNode, start: StartAgent) -> None:
    agent = start()
    name, _ = hub.one()
    with contextlib.closing(node.session("user", "user:7")) as page:
        found = page.call(contract.for_host(contract.PROCESSES, name), 5)
    assert set(found) == set(contract.Processes.__annotations__)
    assert len(found["by_cpu"]) == len(found["by_memory"]) == 5
    assert all(set(row) == set(contract.Process.__annotations__) for row in found["by_cpu"])
    assert [row["memory"] for row in found["by_memory"]] == sorted(
        (row["memory"] for row in found["by_memory"]), reverse=True
    )
    everything = hub.call(name, contract.PROCESSES, 100)
    assert agent.pid in {row["pid"] for row in everything["by_memory"]}


@pytest.mark.parametrize("limit", [0, 101, "all", 2.5])
def test_a_wrong_limit_is_refused(hub: Hub, start: StartAgent, limit: object) -> None:
    start()
    name, _ = hub.one()
    with pytest.raises(Refused, match="limit is") as refused:
        hub.call(name, contract.PROCESSES, limit)
    assert refused.value.uri == contract.INVALID


def test_a_failure_inside_is_not_told_to_pages(hub: Hub, start: StartAgent) -> None:
    agent = start()
    name, _ = hub.one()
    with pytest.raises(Refused) as refused:
        hub.call(name, contract.PROCESSES, 1, 2, 3)
    assert refused.value.uri == "monitor.error.internal"
    assert "TypeError" not in str(refused.value)
    assert "TypeError" in agent.log()


def test_two_agents_cannot_share_an_identity(hub: Hub, start: StartAgent, tmp_path: Path) -> None:
    start()
    hub.one()
    with AgentProcess(tmp_path, "--server", hub.address) as second:
        wait_for(lambda: not second.running, "the second one ends")
        assert "Another agent uses" in second.log()


def test_a_bad_token_is_said_and_nothing_is_created(hub: Hub, start: StartAgent) -> None:
    agent = start(token="made up")
    wait_for(lambda: "There is no such token. Make one on the admin page" in agent.log(), "the reason in the log")
    assert agent.running
    assert hub.hosts == {}


def test_a_missing_token_is_said(hub: Hub, tmp_path: Path) -> None:
    with AgentProcess(tmp_path, "--server", hub.address) as agent:
        wait_for(lambda: "This host is not known here" in agent.log(), "the reason in the log")


def test_a_stolen_id_without_its_key_is_refused(hub: Hub, start: StartAgent) -> None:
    agent = start()
    hub.one()
    agent.stop()
    (agent.state / "key").unlink()
    again = start()
    wait_for(lambda: "known with another key" in again.log(), "the reason in the log")


def test_settings_come_from_the_environment_and_a_file(hub: Hub, tmp_path: Path) -> None:
    file = tmp_path / "agent.conf"
    file.write_text(f"# the hub\nserver = {hub.address}\ntoken = '{hub.token()}'\nname = from the file\n")
    with AgentProcess(tmp_path, WAMPFLASK_AGENT_CONFIG=str(file), WAMPFLASK_AGENT_NAME="<b>from the environment</b>"):
        _, host = hub.one()
    assert host.name == "<b>from the environment</b>"
