"""The agent put together and run."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from . import __version__
from .agent import Agent
from .buffer import Buffer
from .errors import AgentError
from .hub import Hub
from .link import Link, load_wamp
from .reports import Reporter
from .samplers import all_samplers
from .settings import Settings
from .state import State

log = logging.getLogger("agent")

STOP_TIMEOUT = 2.0


def run(settings: Settings) -> None:
    """Run the agent until it is told to stop.

    :raises AgentError: when it cannot start.
    """
    if not settings.server:
        raise AgentError("Which hub? Start with --server http://hub:8080 (or WAMPFLASK_AGENT_SERVER).")
    state = State(settings.state)
    state.open()
    host, config = state.host(), state.read_config()
    state.key()
    wamp = load_wamp(secure=settings.server.startswith("https:"))
    buffer = Buffer(settings.buffer)
    _load_unsent(state, buffer)
    measures = all_samplers(settings.root)
    agent = Agent(
        wamp,
        wamp.reactor,
        host=host,
        sampling=Reporter(measures, {"host": host, "name": settings.name, "ip": ""}),
        buffer=buffer,
        config=config,
        keep=state.write_config,
        leave=lambda: link.leave(),  # noqa: PLW0108 - there is no link yet
    )
    link = Link(
        wamp,
        Hub(settings.server, settings.token, settings.name, state).enrol,
        on_enrolled=agent.enrolled,
        on_joined=agent.joined,
        on_lost=agent.lost,
    )
    log.info("Host %s (%s), agent %s, hub %s", host, settings.name, __version__, settings.server)
    wamp.reactor.callWhenRunning(agent.start)
    wamp.reactor.callWhenRunning(link.start)

    def stop() -> Any:
        log.info("Stopping.")
        leaving = agent.stop().addCallback(lambda _: link.stop())
        leaving.addTimeout(STOP_TIMEOUT, wamp.reactor).addErrback(lambda _: None)
        return leaving.addCallback(lambda _: _keep_unsent(state, buffer))

    wamp.reactor.addSystemEventTrigger("before", "shutdown", stop)
    wamp.reactor.run()
    state.close()


def _load_unsent(state: State, buffer: Buffer) -> None:
    file = state.folder / "unsent"
    with suppress(FileNotFoundError):
        buffer.load(file.read_text(encoding="utf-8", errors="replace"))
        file.unlink()


def _keep_unsent(state: State, buffer: Buffer) -> None:
    if not len(buffer):
        return
    try:
        state.write("unsent", buffer.dump())
        log.info("%d samples are kept for the next start.", len(buffer))
    except OSError as error:
        log.warning("%d samples are lost: cannot write %s: %s", len(buffer), state.folder, error.strerror)
