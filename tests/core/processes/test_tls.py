"""A router behind TLS, with a certificate that only we know."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from rig.front import Front, make_certificate
from wampflask import WAMP, ConfigError
from wampflask._session import why_closed
from wampflask.config import Config
from wampflask.router.wire import Wire
from wampflask.testing import RouterNode


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "router.pem")


@pytest.fixture
def front(node: RouterNode, certificate: Path) -> Iterator[str]:
    with contextlib.closing(Front(node.port, certificate)) as front:
        yield f"wss://127.0.0.1:{front.port}/ws"


def test_a_probe_joins_over_tls(node: RouterNode, front: str, certificate: Path) -> None:
    with Wire(front, ca=str(certificate)) as wire:
        wire.join(node.realm, node.tickets().mint("backend", "backend"))
        assert wire.call("wamp.session.count", ["backend"]) >= 1
    with pytest.raises(ssl.SSLCertVerificationError):
        Wire(front)


def test_the_status_is_asked_over_tls(node: RouterNode, front: str, certificate: Path, tmp_path: Path) -> None:
    """The command needs no pyOpenSSL; a worker over TLS does, so this one uses the socket."""
    app = Flask("tls", instance_path=str(tmp_path))
    app.config.update(node.config)
    wamp = WAMP(app)
    client = app.extensions["wamp"]
    with app.app_context():
        wamp.connect()
    client.config = replace(client.config, url=front, ca=str(certificate))
    try:
        result = app.test_cli_runner().invoke(args=["wamp", "status"])
        assert result.exit_code == 0, result.output
        assert "ready        True" in result.output
        assert f"url          {front}" in result.output
        client.config = replace(client.config, ca="")
        result = app.test_cli_runner().invoke(args=["wamp", "status"])
        assert (result.exit_code, "Set WAMP_CA" in result.output) == (1, True)
    finally:
        client.stop()


class Error(Exception):
    """As pyOpenSSL raises it."""


class VerificationError(Exception):
    """As service_identity raises it."""


Error.__module__ = "OpenSSL.SSL"
VerificationError.__module__ = "service_identity.exceptions"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Error([("SSL routines", "", "certificate verify failed")]), ["certificate verify failed", "WAMP_CA"]),
        (Error(), ["Error", "WAMP_CA"]),
        (VerificationError(), ["another host", "WAMP_URL"]),
        (ConnectionLost("it broke."), ["it broke"]),
    ],
)
def test_why_a_connection_was_closed(error: Any, expected: list[str]) -> None:
    said = why_closed(SimpleNamespace(lost=Failure(error)))
    assert all(text in said for text in expected)
    assert not said.endswith(".")


def test_a_file_that_has_no_certificate_is_refused_at_the_start(tmp_path: Path, certificate: Path) -> None:
    keys = {"WAMP_TICKET_SECRET": "s" * 16}
    assert Config.from_mapping({**keys, "WAMP_CA": str(certificate)}, tmp_path).ca == str(certificate)
    (tmp_path / "empty.pem").touch()
    for file in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        with pytest.raises(ConfigError, match="WAMP_CA"):
            Config.from_mapping({**keys, "WAMP_CA": str(file)}, tmp_path)
