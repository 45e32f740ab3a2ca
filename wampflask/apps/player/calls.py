"""Calls into browsers: finds open players and asks them. Needs an app context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app

from wampflask import CallOptions, NoSuchProcedure, WampError, WampTimeout
from wampflask.apps import wire
from wampflask.apps.errors import Invalid
from wampflask.apps.extensions import wamp

from .contract import STATUS, player_of, procedure

PATIENCE = CallOptions(timeout=3.0)  # seconds a browser has: a tab may sleep
AT_ONCE = 100  # browsers that are asked at the same time: silent ones do not delay each other
POSITION_MAX = 1e6  # seconds; eleven days
TEXT_MAX = 200  # characters

_FIELDS: dict[str, Callable[[Any, str], Any]] = (
    dict.fromkeys(("present", "playing", "waiting", "muted", "silenced"), wire.flag)
    | dict.fromkeys(
        ("version", "position", "duration", "volume", "index", "count"),
        lambda value, name: wire.number(value, name, 0, POSITION_MAX),
    )
    | dict.fromkeys(("title", "error"), lambda value, name: _plain(wire.text(value, name)))
)
"""How each field of a page's state is read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a player answered.

    :param state: the fields of a contract.State that the page gave, each of its type (:func:`read_state`).
    :param problem: why there is no answer, for people.
    """

    player: str
    state: dict[str, Any]
    problem: str = ""

    @property
    def title(self) -> str:
        """The title that is played."""
        return str(self.state.get("title") or "nothing")

    @property
    def doing(self) -> str:
        """``playing``, ``paused``, or the problem."""
        return self.problem or ("playing" if self.state.get("playing") else "paused")

    @property
    def clock(self) -> str:
        """The position, as minutes and seconds; "" when the page sent none."""
        if "position" not in self.state:
            return ""
        minutes, seconds = divmod(int(self.state["position"]), 60)
        return f"{minutes}:{seconds:02}"


def read_state(given: Any) -> dict[str, Any]:
    """Return what is usable in an untrusted page's state, without unknown fields and values of a wrong type."""
    state = given if isinstance(given, dict) else {}
    found: dict[str, Any] = {}
    for name in state.keys() & _FIELDS.keys():
        with suppress(Invalid):
            found[name] = _FIELDS[name](state[name], name)
    return found


def _plain(text: str) -> str:
    """Return a bounded text that can be encoded, without halves of UTF-16 pairs."""
    return text[:TEXT_MAX].encode(errors="replace").decode()


def registered() -> dict[int, str]:
    """Return number and URI of every exact registration of the realm.

    :raises NotConnected: and the other errors of ``wamp.call``.
    """
    return {found.number: found.uri for found in wamp.meta.procedures(limit=None) if found.match == "exact"}


def find_players() -> list[str]:
    """Return the ids of the players that are open now.

    :raises NotConnected: and the other errors of ``wamp.call``.
    """
    return sorted(player for player in map(player_of, registered().values()) if player)


def ask(players: Sequence[str], action: str = STATUS) -> list[Answer]:
    """Call ``action`` of each player; an :class:`Answer` without a usable state has a ``problem``.

    For up to :data:`AT_ONCE` players this takes as long as the slowest of them, and at most :data:`PATIENCE`.
    """
    app = _app()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda player: _ask(app, player, action), players))


def _ask(app: Flask, player: str, action: str) -> Answer:
    with app.app_context():
        try:
            return Answer(player, read_state(wamp.call(procedure(player, action), options=PATIENCE)))
        except NoSuchProcedure:
            return Answer(player, {}, "gone")
        except WampTimeout:
            return Answer(player, {}, "no answer")
        except WampError as error:
            return Answer(player, {}, f"failed: {_plain(error.uri or type(error).__name__)}")
        except Exception:  # an untrusted page's answer must not hide the others'
            app.logger.exception("A player's answer to %s could not be read.", action)
            return Answer(player, {}, "failed: unreadable answer")


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - documented for threads
    return app
