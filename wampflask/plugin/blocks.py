"""The file of blocks: a line for each, as JSON: the authid, until when (seconds since the epoch; null: for good), why.

Flask appends (``wampflask.revocations.block``); both sides read it when it has changed. Of an authid's lines the last
counts, so a block that is lifted is one that has ended.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass

LIFTED = 0.0
"""``until`` of a block that was lifted."""


@dataclass(frozen=True, slots=True)
class Block:
    """One person may not join.

    :param until: seconds since the epoch; None for good.
    :param reason: for that person to read; may be empty.
    """

    until: float | None
    reason: str

    def holds(self, now: float) -> bool:
        """Return whether it has not ended."""
        return self.until is None or now < self.until


def parse(text: str) -> dict[str, Block]:
    """Return the last block of each authid. A torn last line is skipped: it is read when it is whole."""
    found: dict[str, Block] = {}
    for one in text.split("\n")[:-1]:
        with contextlib.suppress(ValueError, TypeError):  # not a line of this format: no reason to refuse everybody
            authid, until, reason = json.loads(one)
            found[authid] = Block(until, reason)
    return found


def line(authid: str, block: Block) -> str:
    """Return the line that blocks ``authid``."""
    return json.dumps([authid, block.until, block.reason]) + "\n"
