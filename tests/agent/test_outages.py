"""Whatever goes away comes back: no hole in the history, and nothing in it twice."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from itertools import pairwise
from pathlib import Path

import pytest

from rig.agent import AgentProcess
from rig.front import Front
from rig.hub import Host, Hub, wait_for
from tests.agent.conftest import StartAgent
from wampflask.apps.monitor import contract
from wampflask.testing import RouterNode, free_port


def check_history(host: Host, interval: float) -> None:
    """Numbers without a gap, times without a hole."""
    assert [sample["seq"] for sample in host.samples] == list(range(1, host.stored + 1))
    times = [sample["time"] for sample in host.samples]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert max(gaps) < 4 * interval, sorted(gaps)[-5:]
    assert min(gaps) > 0


def test_a_killed_router_leaves_no_hole_and_no_double() -> None:
    with RouterNode(permissions=contract.PERMISSIONS) as node, Hub(node) as hub:
        with AgentProcess(node.folder, "--server", hub.address, "--token", hub.token()):
            _, host = hub.one()
            wait_for(lambda: host.stored > 2, "samples stored")
            for outage in (1, 2):
                node.kill9()
                time.sleep(1.5 * outage)
                before = host.stored
                node.start()
                wait_for(lambda: len(host.hellos) > outage, "the agent is back", 40)  # noqa: B023 - called at once
                pending = host.hellos[-1]["pending"]
                assert pending >= 3
                wait_for(lambda: host.stored >= before + pending, "what it kept is stored")  # noqa: B023 - same
            seen = len(host.events)
            wait_for(lambda: len(host.events) > seen, "it is heard again")
        check_history(host, 0.5)
        assert host.dropped == 0


def test_a_connection_that_dies_silently_is_noticed(hub: Hub, start: StartAgent) -> None:
    """No close ever comes, as when a cable is pulled: the agent's own pings tell."""
    with contextlib.closing(Front(hub.node.port)) as network:
        right, hub.url = hub.url, f"ws://127.0.0.1:{network.port}/ws"
        start()
        _, host = hub.one()
        wait_for(lambda: host.stored > 2, "samples stored")
        hub.url = right
        network.frozen.set()
        wait_for(lambda: len(host.hellos) > 1, "the agent is back by another way", 60)
        pending = host.hellos[-1]["pending"]
        assert pending > 10
        before = host.stored
        wait_for(lambda: host.stored >= before + pending, "what it kept is stored")
    check_history(host, 0.5)


def test_a_killed_session_comes_back(hub: Hub, start: StartAgent) -> None:
    agent = start()
    name, host = hub.one()
    with hub.node.backend() as wire:
        wire.send([48, 900, {}, "wamp.session.kill_by_authid", [contract.authid(name)], {"reason": "a.test.end"}])
        wait_for(lambda: len(host.hellos) > 1, "the agent is back")
    assert "a.test.end" in agent.log()
    wait_for(lambda: host.stored > 4, "samples stored")
    check_history(host, 0.5)


def test_a_lost_answer_brings_the_samples_again_and_stores_them_once(hub: Hub, start: StartAgent) -> None:
    hub.losing_answers = 2
    start()
    _, host = hub.one()
    wait_for(lambda: host.again, "samples that come again")
    wait_for(lambda: host.stored > 8, "more samples stored")
    check_history(host, 0.5)
    assert host.dropped == 0


def test_one_sample_that_cannot_be_stored_does_not_stop_the_others(hub: Hub, start: StartAgent) -> None:
    hub.defaults["handover"] = 3.0
    start()
    _, host = hub.one()
    wait_for(lambda: len(host.events) > 2, "events")
    bad = host.events[2]["time"]
    hub.indigestible = lambda sample: sample["time"] == bad
    last = host.events[-1]["time"]
    wait_for(lambda: host.samples and host.samples[-1]["time"] > last + 1, "later samples stored", 30)
    times = [sample["time"] for sample in host.samples]
    assert bad not in times
    assert {event["time"] for event in host.events[:6]} - set(times) == {bad}
    wait_for(lambda: host.dropped == 1, "one sample counted as dropped")


def test_a_hub_that_is_down_at_the_start_is_found_later(node: RouterNode, tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with AgentProcess(tmp_path, "--server", address, "--token", "token-0") as agent:
        wait_for(lambda: "cannot reach" in agent.log(), "it says so")
        assert agent.running
        with Hub(node, port=port) as hub:
            hub.token()
            hub.one()
        assert agent.log().count("cannot reach") == 1


def test_what_was_not_handed_over_survives_a_restart(hub: Hub, start: StartAgent) -> None:
    hub.defaults["handover"] = 300.0
    agent = start()
    name, host = hub.one()
    wait_for(lambda: len(host.events) > 3, "events")
    hub.answers = [(503, {"reason": "closed for a while"}, {})] * 100
    with hub.node.backend() as wire:
        wire.send([48, 900, {}, "wamp.session.kill_by_authid", [contract.authid(name)], {"reason": "a.test.end"}])
        wait_for(lambda: "closed for a while" in agent.log(), "the agent is away")
    seen = {event["time"] for event in host.events}
    assert agent.stop() == 0
    assert re.search(r"Kept \d+ reports for the next start", agent.log())
    assert (agent.state / "unsent").exists()
    hub.answers = []
    host.config["handover"] = 1.0
    start()
    wait_for(lambda: seen <= {sample["time"] for sample in host.samples}, "what it had kept is stored")
    assert not (agent.state / "unsent").exists()
    assert [sample["seq"] for sample in host.samples] == list(range(1, host.stored + 1))


def test_a_stop_hands_over_and_says_goodbye(hub: Hub, start: StartAgent) -> None:
    hub.defaults["handover"] = 300.0
    agent = start()
    _, host = hub.one()
    wait_for(lambda: len(host.events) > 2, "events")
    assert host.samples == []
    began = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - began < 5
    assert {event["time"] for event in host.events} <= {sample["time"] for sample in host.samples}
    assert not (agent.state / "unsent").exists()


def test_a_stop_with_nothing_to_hand_over_is_quiet(hub: Hub, start: StartAgent) -> None:
    hub.defaults["frequency"] = 3600.0
    hub.indigestible = lambda _: True
    agent = start()
    hub.one()
    assert agent.stop() == 0
    assert "WARNING" not in agent.log()


def test_a_disabled_host_stays_so_while_the_hub_is_away(hub: Hub, start: StartAgent) -> None:
    hub.defaults["disabled"] = True
    agent = start()
    hub.one()
    agent.stop()
    hub.answers = [(503, {"reason": "closed for a while"}, {})] * 100
    again = start()
    wait_for(lambda: "closed for a while" in again.log(), "the hub is away")
    time.sleep(1.5)
    again.stop()
    assert not (agent.state / "unsent").exists()


def test_retry_after_is_obeyed(hub: Hub, start: StartAgent) -> None:
    hub.answers = [(429, {"error": "too_many", "reason": "Slow down"}, {"Retry-After": "1"})]
    began = time.monotonic()
    agent = start()
    hub.one()
    assert 0.5 < time.monotonic() - began < 10
    assert "Slow down" in agent.log()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, ["not", "an", "object"], {}), "not a hub's answer"),
        ((200, {"ticket": "x"}, {}), "url is None"),
        ((200, {"ticket": "x", "realm": "r", "url": "http://elsewhere"}, {}), "must begin with ws://"),
        ((200, {"ticket": "x", "realm": "r", "url": "ws://h", "frequency": 0}, {}), "frequency is 0"),
        ((302, {}, {"Location": "https://hub.example"}), "hub.example: use that address as --server"),
        ((500, {}, {}), "answered 500"),
    ],
)
def test_a_strange_answer_is_said_and_asked_again(
    hub: Hub, start: StartAgent, answer: tuple[int, dict[str, object], dict[str, str]], said: str
) -> None:
    hub.answers = [answer]
    agent = start()
    hub.one()
    assert said in agent.log()


def test_a_router_that_never_lets_anybody_join_is_left_again(hub: Hub, start: StartAgent) -> None:
    """It takes the connection and says nothing; then the real one answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        right, hub.url = hub.url, f"ws://127.0.0.1:{silent.getsockname()[1]}/ws"
        agent = start()
        silent.settimeout(10)
        connection, _ = silent.accept()
        hub.url = right
        connection.close()
        hub.one()
    assert "No router" in agent.log() or "closed the connection" in agent.log() or "ended" in agent.log()
