"""Who asks: one answer for pages and procedures."""

from __future__ import annotations

from dataclasses import dataclass

ADMIN, MODERATOR = "admin", "moderator"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    :param authid: ``user:<id>``, ``visitor:<random>`` or ``agent:<host>``; "" for one of our own programs.
    :param roles: what a user may do beyond the rest, by name.
    :param email: of users only.
    """

    authid: str
    roles: frozenset[str] = frozenset()
    email: str = ""

    @property
    def is_user(self) -> bool:
        """Whether this is a person who is logged in."""
        return self.authid.startswith("user:")

    @property
    def is_person(self) -> bool:
        """Whether this is a user or a visitor, and no program."""
        return self.is_user or self.authid.startswith("visitor:")

    @property
    def is_admin(self) -> bool:
        """Whether they may do everything."""
        return ADMIN in self.roles

    @property
    def is_moderator(self) -> bool:
        """Whether they may moderate chat rooms."""
        return self.is_admin or MODERATOR in self.roles
