"""Who asks: one answer for pages and procedures."""

from __future__ import annotations

from dataclasses import dataclass

ADMIN, MODERATOR = "admin", "moderator"
SITE = "backend"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    :param authid: ``user:<id>``, ``visitor:<random>``, ``agent:<host>``, ``key:<name>`` of a program with a key, or
        ``backend``, the site itself; "" for one of our own programs.
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
    def key(self) -> str:
        """The name of the key that a program has; "" for anybody else."""
        return self.authid.removeprefix("key:") if self.authid.startswith("key:") else ""

    @property
    def is_site(self) -> bool:
        """Whether this is the site itself."""
        return self.authid == SITE

    @property
    def may_write(self) -> bool:
        """Whether this may write to people: they themselves, programs with a key, and the site."""
        return self.is_user or bool(self.key) or self.is_site or self.authid.startswith("visitor:")

    @property
    def is_admin(self) -> bool:
        """Whether they may do everything."""
        return ADMIN in self.roles

    @property
    def is_moderator(self) -> bool:
        """Whether they may moderate chat rooms."""
        return self.is_admin or MODERATOR in self.roles
