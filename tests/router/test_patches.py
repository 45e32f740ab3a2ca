"""The router's patches: that it happens, that it says so, and what happens in a Crossbar where it cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import autobahn.util
import pytest

from wampflask.plugin import guard, heap, patches, rate_limit, redaction
from wampflask.router.wire import wait_until
from wampflask.testing import RouterNode


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that has imported colouring functions by name; everything is put back afterwards."""
    user = ModuleType("tuning_user")
    for name, function in vars(autobahn.util).items():
        if name.startswith("hl"):
            setattr(user, name, function)
    monkeypatch.setitem(sys.modules, "tuning_user", user)
    before = [
        (module, name, value)
        for module in tuple(sys.modules.values())
        for name, value in tuple(getattr(module, "__dict__", {}).items())
        if any(value is getattr(autobahn.util, colour, None) for colour in patches.PLAIN)
    ]
    monkeypatch.setattr(patches, "_applied", set())
    yield user
    for module, name, value in before:
        setattr(module, name, value)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was logged at the level that routers run at. The messages of this process stay as they are."""
    lines: list[str] = []
    log = SimpleNamespace(warn=lambda text, **values: lines.append(text.format(**values)))
    monkeypatch.setattr(patches, "log", log)
    monkeypatch.setattr(redaction, "apply", lambda: None)
    monkeypatch.setattr(guard, "apply", lambda _sessions, _dealers: None)
    monkeypatch.setattr(heap, "freeze", lambda: None)
    return lines


def apply(*, colours: bool = False, join_timeout: float = 0) -> None:
    patches.apply(
        colours=colours,
        fan_out=True,
        join_timeout=join_timeout,
        unread={"reader": 10, "backend": 10, "total": 10},
        limit=rate_limit.RateLimit(),
    )


def test_the_real_router_is_patched_and_says_so(node: RouterNode) -> None:
    assert node.has_logged("wampflask: patched: events are written at the end of a turn, to all in a row")
    assert node.has_logged("wampflask: patched: an event is framed once for all who get it")
    assert node.has_logged("wampflask: patched: connections that do not log in are closed after 10 s")
    assert node.has_logged("wampflask: patched: connections that leave 4194304 bytes unread are closed")
    assert node.has_logged("wampflask: patched: pages and agents are sent messages of any length")
    assert node.has_logged("wampflask: patched: the rate limit counts bytes, too")
    assert node.has_logged("wampflask: patched: callees and the router's insides are hidden from clients")
    assert node.has_logged("wampflask: patched: JSON is read strictly")
    line = next(line for line in node.log().splitlines() if "colouring names replaced" in line)
    assert int(line.split("patched: ")[1].split()[0]) > 40


def test_once_for_all_realms(node: RouterNode) -> None:
    """Two realms, two components, one process."""
    assert wait_until(lambda: node.log().count("permissions guard the realm") == 2, 10)
    assert node.log().count("colouring names replaced") == 1


def test_names_are_replaced_in_every_module(untouched: ModuleType) -> None:
    """Also where they were imported under another name, and for modules that are imported later."""
    vars(untouched)["colour"] = untouched.hlval

    assert patches.replace_colours() >= 7

    assert untouched.colour("x", color="red") == "x"
    assert untouched.hlid(17) == "17"
    assert untouched.hl("text", bold=True) == "text"
    assert vars(autobahn.util)["hlval"] is patches.plain
    assert untouched.hltype(ModuleType.__init__) == ModuleType.__init__.__qualname__


def test_a_second_time_changes_nothing(untouched: ModuleType, said: list[str]) -> None:
    for _ in range(2):
        apply(colours=True)

    assert len(said) == len(set(said)) == 9
    assert untouched.hl("x") == "x"


def test_it_can_be_switched_off(untouched: ModuleType, said: list[str]) -> None:
    apply()

    assert not any("colouring" in line for line in said)
    assert untouched.hlval is autobahn.util.hlval


@pytest.mark.usefixtures("untouched")
def test_without_colouring_it_says_so_and_goes_on(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A future autobahn that no longer has these functions."""
    monkeypatch.setattr(patches, "COLOURING", ("autobahn.gone",))

    apply(colours=True)

    assert said[0].startswith("wampflask: not patched: autobahn.util has no colouring to replace")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("module", [None, ModuleType("crossbar.router.session")])
def test_without_crossbars_session_it_says_so_and_goes_on(
    said: list[str], monkeypatch: pytest.MonkeyPatch, module: ModuleType | None
) -> None:
    """A future Crossbar in which the class has another name."""
    monkeypatch.setitem(sys.modules, patches.SESSIONS, module)

    apply(join_timeout=10)

    for missing in (
        "session.RouterSession.onOpen is not there",
        "session.RouterSession.leave is not there",
        "session.RouterSession.onOpen and onClose are not",
        "protocol.WampWebSocketServerProtocol.send is",
        "protocol.WampWebSocketServerProtocol.sendMessage",
        "protocol.WampWebSocketServerProtocol.onMessage",
    ):
        assert any(f"not patched: crossbar.router.{missing}" in line for line in said), missing


def test_without_the_messages_fields_it_says_so() -> None:
    """A future autobahn whose messages are made otherwise; nothing is changed by half."""

    class Result:
        def __init__(self, callee: int) -> None: ...

    class Welcome:
        def __init__(self, custom: int, authextra: int) -> None: ...

    made = Welcome.__init__
    messages: Any = SimpleNamespace(Result=Result, Welcome=Welcome)

    assert "Result has not the fields" in str(redaction.apply(messages))
    assert "Result has not" in str(redaction.apply(ModuleType("nothing")))
    assert Welcome.__init__ is made


def test_only_the_silent_are_dropped() -> None:
    """Not who has joined, and not a transport that has been replaced or is gone."""
    dropped: list[str] = []

    def transport(name: str) -> Any:
        return SimpleNamespace(abort=lambda: dropped.append(name))

    silent, joined, gone = transport("silent"), transport("joined"), transport("gone")
    patches.drop_if_silent(SimpleNamespace(_session_id=None, _transport=silent), silent)
    patches.drop_if_silent(SimpleNamespace(_session_id=5, _transport=joined), joined)
    patches.drop_if_silent(SimpleNamespace(_session_id=None, _transport=None), gone)

    assert dropped == ["silent"]
