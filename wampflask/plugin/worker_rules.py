"""Whose rules are in force: those of every worker that is here. In the router's reactor thread.

Each worker hands over what its version of the app declares. While two versions run side by side, as in a rolling
deploy, what either of them permits is permitted: the pages of both must work. What only the old one permits ends with
its last worker. Until the first worker comes the router goes by what it was started with, and while there is none by
what was last in force.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

HAND_OVER = "wampflask.router.hand_over"
"""What a worker calls with its rules and its roles; the answer are the roles that this router does not know."""

Data = Sequence[Mapping[str, Any]]


class WorkerRules:
    """The rules of one realm.

    :param started_with: those of the router's configuration.
    """

    def __init__(self, started_with: Data) -> None:
        self.rules: list[Mapping[str, Any]] = list(started_with)
        self._of_workers: dict[int, Data] = {}

    def take(self, session: int, rules: Data) -> bool:
        """Take a worker's rules; return whether others are in force now."""
        self._of_workers[session] = rules
        return self._unite()

    def leave(self, session: int) -> bool:
        """Drop the rules of a session that has ended; return whether others are in force now."""
        return self._of_workers.pop(session, None) is not None and bool(self._of_workers) and self._unite()

    def _unite(self) -> bool:
        different = {json.dumps(rule, sort_keys=True): rule for rules in self._of_workers.values() for rule in rules}
        united = [different[text] for text in sorted(different)]
        changed = united != self.rules
        self.rules = united
        return changed
