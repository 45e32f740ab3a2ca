"""Calls into browsers: which players are there, and what they answer. Needs an app context."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app

from wampflask import CallFailed, CallOptions, NoSuchProcedure, WampError, WampTimeout
from wampflask.apps.extensions import wamp

from .contract import STATUS, player_of, procedure

PATIENCE = CallOptions(timeout=3.0)  # seconds a browser has: a tab may sleep
AT_ONCE = 8
POSITION_MAX = 1e6  # seconds; eleven days


@dataclass(frozen=True, slots=True)
class Answer:
    """What a player said.

    :param state: a contract.State as far as the page keeps to it: it is a stranger's, so look before you use it.
    :param problem: why there is none, in words.
    """

    player: str
    state: dict[str, Any]
    problem: str = ""

    @property
    def title(self) -> str:
        """What is on."""
        return str(self.state.get("title") or "nothing")[:200]

    @property
    def doing(self) -> str:
        """``playing``, ``paused``, or the problem."""
        return self.problem or ("playing" if self.state.get("playing") is True else "paused")

    @property
    def clock(self) -> str:
        """The position, as minutes and seconds; empty when the page told none."""
        position = self.state.get("position")
        if isinstance(position, bool) or not isinstance(position, int | float) or not 0 <= position < POSITION_MAX:
            return ""
        return f"{int(position) // 60}:{int(position) % 60:02}"


def registered() -> dict[int, str]:
    """Number and URI of every exact registration of the realm.

    :raises NotConnected: and the other errors of ``wamp.call``.
    """
    numbers = wamp.call("wamp.registration.list")["exact"]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        app = _app()
        return dict(found for found in pool.map(lambda number: _look_up(app, number), numbers) if found)


def _look_up(app: Flask, number: int) -> tuple[int, str] | None:
    with app.app_context():
        try:
            return number, str(wamp.call("wamp.registration.get", number)["uri"])
        except (CallFailed, NoSuchProcedure):  # it ended meanwhile
            return None


def find_players() -> list[str]:
    """The ids of the players that are open now.

    :raises NotConnected: and the other errors of ``wamp.call``.
    """
    return sorted(player for player in map(player_of, registered().values()) if player)


def ask(players: Iterable[str], action: str = STATUS) -> list[Answer]:
    """Call ``action`` of each player, several at once; a player that does not answer is an answer, too."""
    app = _app()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda player: _ask(app, player, action), players))


def _ask(app: Flask, player: str, action: str) -> Answer:
    with app.app_context():
        try:
            state = wamp.call(procedure(player, action), options=PATIENCE)
        except NoSuchProcedure:
            return Answer(player, {}, "gone")
        except WampTimeout:
            return Answer(player, {}, "asleep: no answer")
        except WampError as error:
            return Answer(player, {}, f"failed: {error.uri or type(error).__name__}")
    return Answer(player, state if isinstance(state, dict) else {})


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - documented for threads
    return app
