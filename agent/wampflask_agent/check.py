"""``--check``: look at everything that an agent needs, in order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil

from . import __version__
from .calls import RouterError
from .errors import AgentError
from .hub import MAX_SKEW, Enrolled, Hub, HubError, Refused
from .once import once
from .samplers import all_samplers
from .session import join
from .settings import Settings
from .state import State


class Finding(NamedTuple):
    """One line of ``--check``."""

    good: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok    ' if self.good else 'WRONG '} {self.text}"


def check(settings: Settings) -> Iterator[Finding]:
    """Check everything that an agent needs, in order; stop where the rest depends on what is wrong.

    It enrols as the agent would, so afterwards the hub knows a host that was new to it.
    """
    yield Finding(True, f"Python {sys.version.split()[0]}, psutil {psutil.__version__}, agent {__version__}")
    yield from _check_samplers(settings)
    if not settings.server:
        yield Finding(False, "No hub is set: use --server http://hub:8080, WAMPFLASK_AGENT_SERVER or a settings file")
        return
    state = State(settings.state)
    try:
        with _identity(state) as in_use:
            yield Finding(True, f"Identity in {state.folder}: host {state.host()}" + (", in use" if in_use else ""))
            state.key()
        enrolled = Hub(settings.server, settings.token, settings.name, state).enrol()
    except (AgentError, HubError) as error:
        yield Finding(False, _explain(error, settings))
        return
    state.write_config(enrolled.config)
    yield Finding(True, f"{settings.server} knows this host, which reaches it as {enrolled.ip}")
    yield from _check_clock(enrolled)
    problem = asyncio.run(_try_router(enrolled))
    yield Finding(not problem, problem or f"The router at {enrolled.url} lets this host join")
    if enrolled.config.disabled:
        yield Finding(True, "This host is disabled on the hub: it will send nothing until it is enabled")


def _check_samplers(settings: Settings) -> Iterator[Finding]:
    report = once(settings)
    failed = report.get("failed", {})
    for sampler in all_samplers(settings.root):
        heads = dict.fromkeys(metric.name.partition(".")[0] for metric in sampler.metrics)
        missing = "" if any(head in report for head in heads) else " (this machine shows none)"
        reason = failed.get(sampler.name, "")
        yield Finding(not reason, f"Measures {', '.join(heads)}{missing}" + (f": {reason}" if reason else ""))


def _check_clock(enrolled: Enrolled) -> Iterator[Finding]:
    if enrolled.skew is not None:
        near = abs(enrolled.skew) <= MAX_SKEW
        remedy = "" if near else ": set this machine's clock"
        yield Finding(near, f"The hub's clock is {enrolled.skew:+.0f} s from this machine's{remedy}")


def _explain(error: Exception, settings: Settings) -> str:
    if not isinstance(error, Refused):
        return str(error)
    remedy = " (start with --token, from the hub's page “Add a host”)" if error.code == "token_missing" else ""
    return f"{settings.server} refuses this host: {error}{remedy}"


@contextmanager
def _identity(state: State) -> Iterator[bool]:
    """Hold the state's folder for a moment; yield whether a running agent has it, which is not disturbed."""
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


async def _try_router(enrolled: Enrolled) -> str:
    """Join the router and leave it. Return what is wrong, or ""."""
    try:
        session = await join(enrolled)
    except RouterError as error:
        return f"The router: {error}"
    await session.close()
    return ""
