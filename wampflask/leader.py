"""What one process of all does; another takes over when it ends. ::

    watchman = Leader(app, "shop.watchman", look_round, begin=find_out_how_things_are)

The lock of this name decides (:mod:`wampflask.locks`): a process that has it leads, and the others ask for it each
second. An outage of the router frees it while its holder still works, so for a moment two may lead. What must not
happen twice needs more than that: a run of ``@wamp.cron`` is claimed in the database.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from ._current import KEY
from ._loop import Loop
from .locks import Lock


class Leader:
    """One for each app and name, made while the app is; its thread runs in each process that serves. For any thread.

    :param name: a strict URI, as of :meth:`wampflask.WAMP.lock`.
    :param turn: what the leader does each second, and when it is woken, in an app context.
    :param begin: what it does before its first turn, and again each time that it has the lock anew. Tried again when
        it raises.
    """

    def __init__(
        self, app: Flask, name: str, turn: Callable[[], None] = lambda: None, *, begin: Callable[[], None] | None = None
    ) -> None:
        client = app.extensions[KEY]
        self._client = client
        self._lock = Lock(client, name)
        self._turn = turn
        self._begin = begin
        self._has_begun = False
        self._loop = Loop(app, f"leader of {name}", self._try_to_lead)
        client.accompany(self)

    @property
    def leads(self) -> bool:
        """Whether this process has the lock now."""
        return self._lock.held

    def start(self) -> None:
        """Begin, once in each process; the client does it when this process serves."""
        self._loop.start()

    def wake(self) -> None:
        """Take the next turn now: something happened that cannot wait."""
        self._loop.wake()

    def stop(self, deadline: float) -> None:
        """Begin no more turns; another process takes over when this one's session ends."""
        self._loop.stop(deadline)

    def _try_to_lead(self) -> None:
        if not self._lock.held:
            self._has_begun = False
            if not self._client.status.ready or not self._lock.acquire():
                return
        if not self._has_begun:
            if self._begin is not None:
                self._begin()
            self._has_begun = True
        self._turn()
