"""What the router delivers: an event, or an invocation that must be answered. Plain data, passed whole to a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .caller import Caller
from .errors import WampError

Answer = Callable[[Any], None]
Refuse = Callable[[WampError], None]
Report = Callable[[Sequence[Any]], None]


class Flag:
    """Something that becomes true once; set in one thread and read in another."""

    __slots__ = ("is_set",)

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        """Make it true."""
        self.is_set = True


@dataclass(frozen=True, slots=True)
class Incoming:
    """A payload, as it was sent, and its sender."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    caller: Caller


@dataclass(frozen=True, slots=True)
class Invocation(Incoming):
    """A call of one of our procedures: exactly one of ``answer`` and ``refuse`` follows, at once or later.

    :param report: sends a progressive result, from any thread; None when the caller wants none.
    :param cancelled: nobody waits for the answer any more.
    """

    answer: Answer
    refuse: Refuse
    report: Report | None = None
    cancelled: Flag = field(default_factory=Flag)
