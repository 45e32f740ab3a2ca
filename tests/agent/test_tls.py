"""https and wss, as in production: certificates are checked, with Python's own ssl."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rig.agent import AgentProcess
from rig.front import Front, make_certificate
from rig.hub import Hub, wait_for
from tests.agent.running import run


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "hub.pem")


@pytest.fixture
def fronts(hub: Hub, certificate: Path) -> Iterator[str]:
    """TLS before hub and router; the hub's address."""
    with (
        contextlib.closing(Front(hub.port, certificate)) as http,
        contextlib.closing(Front(hub.node.port, certificate)) as router,
    ):
        hub.url = f"wss://127.0.0.1:{router.port}/ws"
        yield f"https://127.0.0.1:{http.port}"


def test_all_of_it_works_over_tls(hub: Hub, fronts: str, certificate: Path, tmp_path: Path) -> None:
    with AgentProcess(tmp_path, "--server", fronts, "--token", hub.token(), SSL_CERT_FILE=str(certificate)) as running:
        _, host = hub.one()
        wait_for(lambda: host.stored > 2, "reports stored")
        process = psutil.Process(running.pid)
        assert process.memory_info().rss < 42e6
        assert not [file.path for file in process.memory_maps() if "cryptography" in file.path]
        assert running.stop() == 0


def test_check_works_over_tls(hub: Hub, fronts: str, certificate: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "--check", "--server", fronts, "--token", hub.token(), SSL_CERT_FILE=str(certificate))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_hub_with_a_strange_certificate_is_sent_no_token(hub: Hub, fronts: str, tmp_path: Path) -> None:
    with AgentProcess(tmp_path, "--server", fronts, "--token", hub.token()) as running:
        wait_for(lambda: "certificate" in running.log(), "it says why")
    assert hub.requests == []


def test_a_router_with_a_strange_certificate_is_sent_no_ticket(hub: Hub, fronts: str, tmp_path: Path) -> None:
    assert fronts
    with AgentProcess(tmp_path, "--server", hub.address, "--token", hub.token()) as running:
        wait_for(lambda: "No router" in running.log(), "it says why")
        assert running.running
    assert "its certificate cannot be trusted (self-signed certificate); for a private" in running.log()
    assert all(not host.hellos for host in hub.hosts.values())
