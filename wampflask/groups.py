"""The groups of a bound table's rows, such as teams: a topic and a right for each, for :mod:`wampflask.binding`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .columns import Field
from .errors import ConfigError, InvalidURI
from .plugin.tickets import MAX_CLAIM

if TYPE_CHECKING:
    from .caller import Caller

__all__ = ["Groups"]

_WORD = re.compile(rf"[0-9a-z_]{{1,{MAX_CLAIM}}}")


@dataclass(frozen=True, slots=True)
class Groups:
    """Which column says what group a row is in, and who may see a group.

    A group stands in URIs as a word. A row whose column is empty is in no group, and no page hears of it.

    :param field: the column: whole numbers, UUIDs, or text of ``[0-9a-z_]``.
    :param claim: the claim of tickets that names the groups somebody may see; None: every reader may see every group.
    :raises ConfigError: for a column of another kind.
    """

    field: Field
    claim: str | None

    def __post_init__(self) -> None:
        if self.field.kind not in (int, UUID, str):
            raise ConfigError(f"group={self.field.name!r} must be a column of whole numbers, UUIDs or text.")

    @property
    def component(self) -> str:
        """What stands for the group in a permission's URI."""
        return "<group>" if self.claim is None else f"{{{self.claim}}}"

    def word_of(self, value: Any) -> str | None:
        """Return the word for a value of the column; None for no group.

        :raises InvalidURI: for a value that cannot stand in a URI.
        """
        if value is None:
            return None
        word = value.hex if isinstance(value, UUID) else str(value)
        if not _WORD.fullmatch(word):
            raise InvalidURI(
                f"{self.field.name}={value!r} cannot name a group of rows: groups are numbers from 0, UUIDs, or "
                f"text of [0-9a-z_] with {MAX_CLAIM} characters at most."
            )
        return word

    def value_of(self, word: str) -> Any:
        """Return the column's value for a word.

        :raises ValueError: it cannot be one.
        """
        if self.field.kind is str:
            return word
        return self.field.from_json(int(word) if self.field.kind is int else word)

    def may_see(self, who: Caller, word: str) -> bool:
        """Return whether somebody may see a group: what the router decides for calls and subscriptions."""
        if self.claim is None:
            return True
        claimed = who.claims.get(self.claim, ())
        return word in ((claimed,) if isinstance(claimed, str) else claimed)
