"""Locks over all processes of a realm, by exclusive registration: the router frees one when its holder dies."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from . import uris
from .errors import CallFailed, LockTaken

if TYPE_CHECKING:
    from ._client import Client

POLL = 0.1
"""Seconds between two attempts to get a lock that is held."""

_TAKEN = "wamp.error.procedure_already_exists"


class Lock:
    """What :meth:`wampflask.WAMP.lock` returns. Not re-entrant; any thread but the reactor's.

    The holder should look at :attr:`held` before it does what only one may do: an outage of the router frees the
    lock, and another process may have it by the time this one notices.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._uri = f"wampflask.lock.{uris.check(name)}"
        self._name = name
        self._registration: Any = None
        self._session: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock now."""
        return self._registration is not None and self._client.holds(self._session)

    def acquire(self, timeout: float = 0) -> bool:
        """Try for ``timeout`` seconds to get the lock; whether that worked.

        :raises NotConnected: when there is no session.
        """
        if self.held:
            return False
        deadline = time.monotonic() + timeout
        while not self._take():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(POLL, left))
        return True

    def _take(self) -> bool:
        try:
            self._registration, self._session = self._client.acquire(self._uri)
        except CallFailed as error:
            if error.uri != _TAKEN:
                raise
            return False
        return True

    def release(self) -> None:
        """Free the lock; do nothing if it is not held."""
        registration, self._registration = self._registration, None
        if registration is not None:
            self._client.release(registration)

    def __enter__(self) -> Self:
        if not self.acquire():
            raise LockTaken(f"The lock {self._name!r} is held by another session.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
