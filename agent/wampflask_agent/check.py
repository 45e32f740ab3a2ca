"""``--check``: everything that an agent needs, looked at in order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psutil

from . import __version__
from .errors import AgentError
from .hub import MAX_SKEW, Enrolled, Hub, HubError, Refused
from .link import JOIN_TIMEOUT, Wamp, failed, load_wamp
from .once import once
from .samplers import all_samplers
from .settings import Settings
from .state import State


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
    for sampler in all_samplers(settings.root):
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
            problems[:] = [f"cannot be reached: {failed(result)}"]
        if wamp.reactor.running:
            wamp.reactor.stop()

    def begin() -> None:
        endpoint, factory = wamp.transport(enrolled.url, lambda: wamp.new_session(enrolled, joined, left), left)
        opening = endpoint.connect(factory).addCallback(lambda protocol: protocol.is_closed)
        opening.addTimeout(JOIN_TIMEOUT, wamp.reactor).addBoth(end)

    wamp.reactor.callWhenRunning(begin)
    wamp.reactor.run()
    return problems[0] if problems else ""
