"""``wampflask.progress(…)``: how far something is, in the handler of a call and in a task of a queue alike."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Protocol

__all__ = ["progress"]


class Reporter(Protocol):
    """Who wants to know how far the function that runs here is."""

    def check(self) -> None:
        """Raise :class:`Cancelled` when nobody wants the result any more."""

    def report(self, *values: Any) -> None:
        """Pass on how far it is."""


current_reporter: ContextVar[Reporter] = ContextVar("wampflask.progress")


def progress(*values: Any) -> None:
    """Say how far the handler or the task that runs here is, and learn whether it still is wanted.

    In a handler the values are a progressive result: ``progress(0.4)`` calls the caller's ``on_progress(0.4)``, and
    does nothing where the caller has none. In a task they are a fraction from 0 to 1 and, if they changed, some words:
    ``progress(0.4, "Converting")``. Without values it reports nothing, and only raises when there is a reason.
    Anywhere else it does nothing, so that the function can be called as any other.

    For the thread of the handler or the task; another one that it starts has no caller.

    :param values: strict JSON.
    :raises Cancelled: the call or the task was cancelled, took too long, or its caller is gone. Let it pass.
    :raises InvalidPayload: a value is not JSON, or the values larger than the router takes.
    :raises ValueError: in a task: the fraction is not a number from 0 to 1.
    """
    reporter = current_reporter.get(None)
    if reporter is None:
        return
    reporter.check()
    if values:
        reporter.report(*values)
