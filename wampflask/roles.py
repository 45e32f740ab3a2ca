"""The roles of one app: who its people are, and its programs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import ConfigError
from .permissions import ANONYMOUS, BACKEND, EVERYONE
from .plugin.tickets import NEVER, PEOPLE, PROGRAMS, VISITOR

__all__ = ["Roles"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles that tickets can have.

    :param people: of people who are logged in.
    :param programs: of programs that join with tickets.
    :raises ConfigError: for a name that cannot be a role's.
    """

    people: tuple[str, ...] = PEOPLE
    programs: tuple[str, ...] = PROGRAMS

    def __post_init__(self) -> None:
        named = (*self.people, *self.programs)
        for name in named:
            if not _NAME.fullmatch(name) or name in (*NEVER, VISITOR, EVERYONE):
                raise ConfigError(
                    f"{name!r} cannot be a role of your own: use lower-case letters, digits and _, and not "
                    f"{', '.join((VISITOR, EVERYONE, *NEVER))}, which have their meaning."
                )
        if len(set(named)) < len(named):
            raise ConfigError(f"A role is named twice: {', '.join(named)}.")

    @classmethod
    def of(cls, people: Iterable[str], programs: Iterable[str]) -> Roles:
        """Return the roles that :class:`wampflask.WAMP` was given."""
        return cls(_names("roles", people), _names("programs", programs))

    @property
    def everyone(self) -> tuple[str, ...]:
        """Of people, logged in or not."""
        return (VISITOR, *self.people)

    @property
    def ticketed(self) -> tuple[str, ...]:
        """Of everybody whom the router admits with a ticket, besides the app's own workers."""
        return (*self.everyone, *self.programs)

    @property
    def permitted(self) -> tuple[str, ...]:
        """Those that a permission may name."""
        return (*self.ticketed, ANONYMOUS)

    def read(self, what: str, named: Iterable[str] | str, *, backend: bool = False) -> tuple[str, ...]:
        """Return the roles that are meant: one, several, or everyone.

        :param what: what they are for, to be named in an error.
        :param backend: the app's workers may be meant, too.
        :raises ConfigError: for one that there is not.
        """
        known = (*self.permitted, BACKEND) if backend else self.permitted
        found: list[str] = []
        for name in (named,) if isinstance(named, str) else named:
            if name != EVERYONE and name not in known:
                raise ConfigError(
                    f"{what} is for the role {name!r}; the roles are {', '.join(known)}, and {EVERYONE} for all of "
                    f"people. WAMP(roles=(…)) names your own."
                )
            found += self.everyone if name == EVERYONE else (name,)
        return tuple(dict.fromkeys(found))


def _names(what: str, given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise ConfigError(f"{what}={given!r} is one text where several names are meant: write {what}=({given!r},).")
    return tuple(given)
