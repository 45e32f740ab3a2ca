"""Which players are there, by the router's registrations. Knows neither Flask nor WAMP; safe in any thread."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from .contract import player_of

_EARLY_MAX = 1000


class Presence:
    """The registrations that are players.

    The router reports the end of a registration by its number only, so its name is kept from the beginning. Both are
    handled in threads and may arrive in either order: an end that comes before its beginning is kept, too.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._players: dict[int, str] = {}
        self._early: OrderedDict[int, None] = OrderedDict()

    def opened(self, registration: int, uri: str) -> str | None:
        """Note that a registration began; return its player if that has left already."""
        player = player_of(uri)
        with self._lock:
            ended = registration in self._early
            self._early.pop(registration, None)
            if player is None or ended:
                return player
            self._players[registration] = player
        return None

    def closed(self, registration: int) -> str | None:
        """Note that a registration ended; return its player, if it had one."""
        with self._lock:
            player = self._players.pop(registration, None)
            if player is None:
                self._early[registration] = None
                if len(self._early) > _EARLY_MAX:
                    self._early.popitem(last=False)
        return player

    def forget(self) -> None:
        """Forget every registration, since the router is gone."""
        with self._lock:
            self._players.clear()
            self._early.clear()

    def players(self) -> list[str]:
        """Return the players that are there, by id."""
        with self._lock:
            return sorted(set(self._players.values()))

    def __len__(self) -> int:
        return len(self._players)
