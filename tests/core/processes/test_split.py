"""Which process serves what: handlers that block are elsewhere, and pages' calls do not wait for them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.core.processes.programs import Listener, Probe, Program, eventually, flask, gunicorn, raw_call
from wampflask import ConfigError
from wampflask.router import wire
from wampflask.serving import Serving
from wampflask.testing import RouterNode, free_port

Env = dict[str, str]
THREADS = 3


@pytest.mark.parametrize(
    ("terms", "served", "left"),
    [
        ("", ("video.encode", "wampflask.live.fetch"), ()),
        ("video.*", ("video", "video.encode", "video.a.b"), ("videos.x", "chat.say", "wampflask.live.fetch")),
        ("!video.*", ("chat.say", "videos.x", "wampflask.live.fetch"), ("video.encode", "video")),
        ("video.encode, chat.*", ("video.encode", "chat.say"), ("video.cut",)),
        ("video.* !video.cut", ("video.encode",), ("video.cut", "chat.say")),
    ],
)
def test_terms(terms: str, served: tuple[str, ...], left: tuple[str, ...]) -> None:
    serving = Serving.parse(terms)
    assert [uri for uri in (*served, *left) if uri in serving] == list(served)


@pytest.mark.parametrize("terms", ["*", "video*", "video.*.x", "!", "Video.x", "video..x"])
def test_terms_that_are_none(terms: str) -> None:
    with pytest.raises(ConfigError, match="WAMP_SERVE="):
        Serving.parse(terms)


def test_a_blocked_process_holds_up_no_call_to_another(
    site: Path, env: Env, prefix: str, node: RouterNode, probe: Probe
) -> None:
    serve = flask("wamp", "serve", "--procedures", f"{prefix}.slow", "--threads", str(THREADS))
    with (
        Listener(node, f"{prefix}.started") as started,
        Program(gunicorn(free_port(), workers=1), site, {**env, "WAMP_SERVE": f"!{prefix}.slow"}) as web,
        Program(serve, site, env) as blocked,
    ):
        eventually(lambda: probe.callees(f"{prefix}.pid") == 1, web.said)
        eventually(lambda: probe.callees(f"{prefix}.slow") == 1, blocked.said)
        (worker,) = web.children()
        slow = [raw_call(probe.wire, f"{prefix}.slow", 2) for _ in range(2 * THREADS)]
        assert {started.next()[0] for _ in range(THREADS)} == {blocked.pid}

        for _ in range(50):
            request = raw_call(probe.wire, f"{prefix}.pid")
            assert probe.wire.receive() == [wire.RESULT, request, {}, [worker]], "before any of the slow ones has ended"
        answers = [probe.wire.receive(timeout=30) for _ in slow]
        assert sorted(answer[1] for answer in answers) == slow
        assert {answer[3][0] for answer in answers} == {blocked.pid}

        assert f"serves {prefix}.slow." in blocked.said()
        assert blocked.end(signal.SIGTERM) == 0
        eventually(lambda: probe.callees(f"{prefix}.slow") == 0, "what it served is taken back")
        blocked.assert_quiet()
        web.end()
        web.assert_quiet()


@pytest.mark.parametrize(("terms", "message"), [("vid*", "'vid*' is not a URI"), ("nothing.*", "it declares: ")])
def test_terms_that_mean_nothing_are_refused(site: Path, env: Env, terms: str, message: str) -> None:
    with Program(flask("wamp", "serve", "--procedures", terms), site, env) as program:
        assert program.wait() != 0
        assert message in program.said()
