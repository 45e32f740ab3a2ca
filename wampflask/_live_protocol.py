"""What live things, the engine that reads them and the client that asks it have in common. No Twisted here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from flask import Flask

from ._incoming import Refuse

Per = Literal["all", "role", "person"]

WORKER_LOST = "wampflask.live.worker_lost"
"""The topic that has pages ask again: a worker has died, perhaps between a commit and its publication."""

NO_ROLE = ""
"""Stands for the role where one state is for all."""

States = dict[str, Any]
"""For each role that is asked for, or for :data:`NO_ROLE`: the state, or the error that says why there is none."""


class Readable(Protocol):
    """A :class:`~wampflask.live.LiveThing`, as far as it is read and sent."""

    label: str
    allow: tuple[str, ...]
    per: Per
    every: float | None

    def states(
        self, app: Flask, args: Mapping[str, Any], roles: Iterable[str], keys: Iterable[str] | None
    ) -> States: ...
    def events(self, topic: str, states: States, keys: list[str] | None) -> list[tuple[str, Any]]: ...


@dataclass(slots=True, frozen=True)
class Asker:
    """A session that called a live thing: exactly one of both is called, in the reactor's thread."""

    role: str
    answer: Callable[[Any, int], None]
    refuse: Refuse
