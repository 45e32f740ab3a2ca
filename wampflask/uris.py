"""Strict WAMP URIs: components of ``[0-9a-z_]`` joined by dots.

Crossbar's realms check loosely by default, and browsers' libraries do not agree with each other on
loose URIs; wampflask accepts only the strict ones, so that both modes of the router work.
"""

from __future__ import annotations

import re
from typing import Literal

from .errors import InvalidURI
from .plugin import rules

Match = Literal["exact", "prefix", "wildcard"]

MAX_LENGTH = rules.MAX_LENGTH

_EXACT = re.compile(r"(?:[0-9a-z_]+\.)*[0-9a-z_]+")
_PREFIX = re.compile(r"(?:[0-9a-z_]+\.)*[0-9a-z_]*")
_WILDCARD = re.compile(r"(?:[0-9a-z_]*\.)*[0-9a-z_]*")
_PATTERNS = {"exact": _EXACT, "prefix": _PREFIX, "wildcard": _WILDCARD}
_RESERVED = ("wamp", "crossbar", "wampflask")


def check(uri: str, match: Match = "exact") -> str:
    """Return ``uri`` when it is a strict URI (or pattern, for ``match`` prefix or wildcard).

    :raises InvalidURI: with the offending part.
    """
    pattern = _PATTERNS.get(match)
    if pattern is None:
        raise InvalidURI(f"match={match!r} is not one of exact, prefix, wildcard")
    if not uri or len(uri) > MAX_LENGTH or not pattern.fullmatch(uri):
        raise InvalidURI(
            f"{str(uri)[:80]!r} is not a strict WAMP URI: use lower-case letters, digits and _ in components "
            f"joined by dots, at most {MAX_LENGTH} characters"
        )
    return uri


def check_own(uri: str, match: Match = "exact") -> str:
    """Like :func:`check`, for what an application declares or publishes: reserved roots are refused.

    :raises InvalidURI: also when the first component is ``wamp``, ``crossbar`` or ``wampflask``.
    """
    check(uri, match)
    if uri.split(".", 1)[0] in _RESERVED:
        raise InvalidURI(f"{uri!r} begins with a reserved word: {', '.join(_RESERVED)} belong to the router and us")
    return uri


def component(text: str) -> str:
    """Return ``text`` as one URI component: in lower case, with ``_`` for everything except ``[0-9a-z_]``."""
    return re.sub(r"[^0-9a-z_]", "_", text.lower()) or "_"
