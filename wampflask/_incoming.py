"""What the router delivers: an event, or an invocation that must be answered. Plain data, passed whole to a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .caller import Caller
from .errors import WampError

Answer = Callable[[Any], None]
Refuse = Callable[[WampError], None]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A payload, as it was sent, and its sender."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    caller: Caller


@dataclass(frozen=True, slots=True)
class Invocation(Incoming):
    """A call of one of our procedures: exactly one of ``answer`` and ``refuse`` follows, at once or later."""

    answer: Answer
    refuse: Refuse
