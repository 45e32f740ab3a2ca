"""URIs with named components, as in a Flask route: ``shop.stock.<item>``, ``polls.counts.<int:poll>``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Self

from . import uris
from .errors import InvalidURI
from .uris import Match

_PART = re.compile(r"<(?P<known>!)?(?:(?P<kind>int):)?(?P<name>[a-z][a-z0-9_]*)>|\{(?P<claim>[a-z][a-z0-9_]*)\}")
_COMPONENT = re.compile(r"[0-9a-z_]+")
_MAX_DIGITS = 18  # of a number that every database takes


@dataclass(frozen=True, slots=True)
class Part:
    """One component: a literal, or a name for what stands there.

    :param kind: what the component becomes as an argument, ``str`` or ``int``.
    :param permission: the component in a permission's URI.
    """

    permission: str
    name: str = ""
    kind: type[str | int] = str

    def read(self, component: str) -> str | int | None:
        """Return the argument's value; None when the component cannot be one."""
        if self.kind is int:
            return int(component) if component.isdecimal() and len(component) <= _MAX_DIGITS else None
        return component or None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A URI in which components may have names. Any thread.

    ``<name>`` stands for any component, ``<int:name>`` for a whole number, ``<!name>`` for a word that one has to know,
    ``{claim}`` for what the caller's ticket says.
    """

    text: str
    parts: tuple[Part, ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern.

        :raises InvalidURI: when it is neither a strict URI nor one with names in it, or has a name twice.
        """
        parts = tuple(_parse_part(text, component) for component in text.split("."))
        names = [part.name for part in parts if part.name]
        if len(set(names)) < len(names):
            raise InvalidURI(f"{text!r} has the same name twice.")
        if parts[0].name:
            raise InvalidURI(f"{text!r} must begin with a word of your app, not with a name.")
        return cls(text, parts)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(part.name for part in self.parts if part.name)

    @property
    def match(self) -> Match:
        """How the router is to match :attr:`uri`."""
        return "wildcard" if self.names else "exact"

    @property
    def uri(self) -> str:
        """For the router: a URI, or a wildcard where there are names."""
        return ".".join("" if part.name else part.permission for part in self.parts)

    @property
    def permission(self) -> str:
        """For a :class:`~wampflask.Permission`."""
        return ".".join(part.permission for part in self.parts)

    def read(self, uri: str) -> dict[str, Any] | None:
        """Return the named components of ``uri``; None when it does not match."""
        components = uri.split(".")
        if len(components) != len(self.parts):
            return None
        found: dict[str, Any] = {}
        for part, component in zip(self.parts, components, strict=True):
            if not part.name:
                if component != part.permission:
                    return None
            elif (value := part.read(component)) is None:
                return None
            else:
                found[part.name] = value
        return found

    def build(self, **values: Any) -> str:
        """Return the URI for these values of the named components.

        :raises InvalidURI: when a value cannot be a component.
        :raises TypeError: when values are missing, or there are others than the named ones.
        """
        if set(values) != set(self.names):
            raise TypeError(f"{self.text} takes {', '.join(self.names) or 'no arguments'}, not {', '.join(values)}.")
        return uris.check(".".join(self._component(part, values) for part in self.parts))

    def _component(self, part: Part, values: dict[str, Any]) -> str:
        if not part.name:
            return part.permission
        text = str(values[part.name])
        if not _COMPONENT.fullmatch(text) or part.read(text) is None:
            raise InvalidURI(f"{text!r} cannot be the {part.name} of {self.text}: {_rule(part)}.")
        return text


def _rule(part: Part) -> str:
    return "it is a whole number" if part.kind is int else "a component is lower-case letters, digits and _"


def _parse_part(text: str, component: str) -> Part:
    found = _PART.fullmatch(component)
    if found is None:
        if not _COMPONENT.fullmatch(component):
            raise InvalidURI(
                f"{text!r} has the component {component!r}: use lower-case letters, digits and _, or a name: "
                "<item>, <int:number>, <!secret>, {claim}."
            )
        return Part(component)
    if claim := found["claim"]:
        return Part(component, claim)
    name = found["name"]
    return Part(f"<{found['known'] or ''}{name}>", name, int if found["kind"] else str)
