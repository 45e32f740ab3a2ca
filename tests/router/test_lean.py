"""Crossbar's start without what it never uses here."""

from __future__ import annotations

import json
import subprocess

import pytest

from wampflask.permissions import PAGES, Permission
from wampflask.router import node as nodes
from wampflask.testing import RouterNode

STARTS = "import crossbar.node.main, crossbar.personality, crossbar.worker.router, json, sys"
LEFT_OUT = "('eth_abi.abi', 'eth_keyfile.keyfile', 'txtorcon', 'web3', 'xbr')"
LOADED = f"print(json.dumps([name for name in {LEFT_OUT} if hasattr(sys.modules.get(name), '__file__')]))"
ADDRESS = "0x" + "ab" * 20


def run(code: str) -> str:
    """What Crossbar's Python prints."""
    python = nodes.find_crossbar().with_name("python")
    done = subprocess.run([python, "-c", code], env=nodes.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_of_ethereum_is_loaded() -> None:
    assert json.loads(run(f"{STARTS}; {LOADED}")) == []


def test_everything_is_when_one_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(nodes.WHOLE, "1")
    assert len(json.loads(run(f"{STARTS}; {LOADED}"))) == 5


def test_what_is_used_after_all_is_the_real_thing() -> None:
    use = f"print(web3.Web3.to_checksum_address('{ADDRESS}')); import web3; print(web3.__version__)"
    checksummed, version = run(f"{STARTS}; import web3; {use}").split()
    assert checksummed.lower() == ADDRESS
    assert checksummed != ADDRESS
    assert version


def test_what_is_not_installed_cannot_be_imported() -> None:
    without = "sys.path[:] = [folder for folder in sys.path if 'site-packages' not in folder]"
    assert run(f"import importlib.util, sys; {without}; print(importlib.util.find_spec('web3'))") == "None\n"


def test_a_running_router_wants_none_of_it() -> None:
    with (
        RouterNode([Permission("demo.bam", publish=PAGES, subscribe=PAGES)]) as node,
        node.session("visitor", "visitor:a"),
    ):
        assert "wampflask: patched" in node.log()
    assert "all its packages are loaded" not in node.log()
