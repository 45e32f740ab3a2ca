"""The agent put together, and run until a signal asks for its end."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress

from . import __version__
from .agent import Agent
from .buffer import Buffer
from .errors import AgentError
from .hub import Hub
from .link import Link
from .reports import Reporter
from .samplers import all_samplers
from .settings import Settings
from .state import State

log = logging.getLogger("agent")


def run(settings: Settings) -> None:
    """Run the agent until SIGTERM, SIGINT or Ctrl+C stops it.

    :raises AgentError: when it cannot start.
    """
    if not settings.server:
        raise AgentError("Which hub? Start with --server http://hub:8080 (or WAMPFLASK_AGENT_SERVER).")
    state = State(settings.state)
    state.open()
    state.key()
    buffer = Buffer(settings.buffer)
    buffer.load(state.take_unsent())
    asyncio.run(_run(settings, state, buffer))
    state.close()


async def _run(settings: Settings, state: State, buffer: Buffer) -> None:
    try:
        await _report(settings, state, buffer)
    finally:
        if len(buffer):  # now, not after the loop's own threads: one may still wait for a name server
            state.keep_unsent(buffer.dump(), len(buffer))


async def _report(settings: Settings, state: State, buffer: Buffer) -> None:
    host, config = state.host(), state.read_config()
    agent = Agent(
        host=host,
        reporter=Reporter(all_samplers(settings.root), {"host": host, "name": settings.name, "ip": ""}),
        buffer=buffer,
        config=config,
        keep=state.write_config,
    )
    hub = Hub(settings.server, settings.token, settings.name, state)
    log.info("Host %s (%s), agent %s, hub %s", host, settings.name, __version__, settings.server)
    agent.start()
    linking = asyncio.ensure_future(Link(hub.enrol, on_enrolled=agent.enrolled, serve=agent.serve).run())
    stopping = asyncio.ensure_future(_until_stopped())
    await asyncio.wait({linking, stopping}, return_when=asyncio.FIRST_COMPLETED)
    log.info("Stopping.")
    await agent.stop()
    linking.cancel()
    with suppress(asyncio.CancelledError):
        await linking


async def _until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    with suppress(NotImplementedError):  # Windows: Ctrl-C ends the program as KeyboardInterrupt
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
