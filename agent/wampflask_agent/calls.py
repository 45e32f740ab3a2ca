"""Calls over a session: the errors they end with, and how long to wait before the next attempt."""

from __future__ import annotations

import logging
import random

from .text import describe

MAX_SETBACK = 30.0

log = logging.getLogger("agent")
_random = random.SystemRandom()


class RouterError(Exception):
    """The router could not be joined, or did not answer; the text says why."""


class CallError(Exception):
    """An error that travels over WAMP: what a procedure answers, or what the hub answered.

    :param uri: of the error, for programs.
    :param reason: for people.
    """

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(reason)
        self.uri = uri

    def __str__(self) -> str:
        return f"{self.args[0]} ({self.uri})".strip()


class Setbacks:
    """How long to wait before a call that failed is made again: longer each time."""

    def __init__(self) -> None:
        self._count = 0

    def after(self, procedure: str, error: Exception) -> float:
        """Log a failure, and return the seconds until the next attempt."""
        self._count += 1
        level = logging.WARNING if self._count == 1 else logging.DEBUG
        log.log(level, "%s failed: %s. Retrying.", procedure, explain(error).rstrip("."))
        return _random.uniform(0.5, 1.0) * min(2.0**self._count, MAX_SETBACK)

    def clear(self) -> None:
        """Start again with short waits: a call succeeded."""
        self._count = 0


def explain(error: BaseException) -> str:
    """Return what a person reads of an error."""
    return str(error) if isinstance(error, (RouterError, CallError)) else describe(error)
