"""Who may do what: declared once, in Python, beside the URI; enforced inside the router.

Every app's ``contract.py`` has its own::

    PERMISSIONS = (
        Permission("polls.question.results", call=PAGES),
        Permission("polls.question.update.<question_id>", subscribe=PAGES),
        Permission("monitor.host.{host}.configure", register=("agent",)),
    )

and gives them to :meth:`wampflask.WAMP.permit`; ``flask wamp router render`` compiles them into the
router's configuration. What is not declared is denied; the role ``backend`` (Flask workers) may do
everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any, cast

from .plugin.rules import ACTIONS, RESERVED
from .plugin.tickets import ANONYMOUS, BACKEND, NEVER, PEOPLE, TICKETED, VISITOR

__all__ = ["ANONYMOUS", "BACKEND", "EVERYONE", "PAGES", "ROLES", "Permission", "compile_rules"]

ROLES = (*TICKETED, ANONYMOUS)  # where an app has none of its own
PAGES = (VISITOR, *PEOPLE)  # of people, in such an app
EVERYONE = "everyone"  # instead of roles: every role of people, logged in or not

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(rf"([0-9]{{1,6}})\s*(?:/|\s+per\s+)\s*({'|'.join(_SECONDS)})s?")
_LITERAL = re.compile(r"[0-9a-z_]+")
_PART = re.compile(r"[0-9a-z_]+|<!?[a-z][a-z0-9_]*>|\{[a-z][a-z0-9_]*\}")


class Permission:
    """Who may use one URI.

    :param uri: a strict WAMP URI in which a component may be ``<name>`` (any one component), ``<!name>`` (any one, but
        never a wildcard: an unguessable word that one has to know), ``{authid}``
        (the session's authid, with ``_`` for its ``:``) or ``{claim}`` (what the session's ticket claims).
        Each action is for one role, several, or ``"everyone"``: every role of people, logged in or not.
    :param call: roles that may call the procedure.
    :param register: roles that may provide it.
    :param publish: roles that may publish to the topic.
    :param subscribe: roles that may hear it.
    :param disclose: let subscribers know who published, and callees who calls. Handlers in Flask
        always know their caller; visitors learn of each other only where this is set.
    :param rate: how often one caller may call it, such as ``"10/second"`` or ``"5 per minute"``: counted in the router
        for each authid, whichever worker answers; all of them may come at once. The app's workers always may.
    :raises ValueError: for a URI or role that cannot be, saying what would do.
    """

    __slots__ = ("call", "disclose", "publish", "rate", "register", "subscribe", "uri")

    def __init__(
        self,
        uri: str,
        *,
        call: Iterable[str] | str = (),
        register: Iterable[str] | str = (),
        publish: Iterable[str] | str = (),
        subscribe: Iterable[str] | str = (),
        disclose: bool = False,
        rate: str | None = None,
    ) -> None:
        self.uri = _check_uri(uri)
        self.call = _check_roles(uri, call)
        self.register = _check_roles(uri, register)
        self.publish = _check_roles(uri, publish)
        self.subscribe = _check_roles(uri, subscribe)
        self.disclose = disclose
        self.rate = _read_rate(uri, rate) if rate is not None else None

    def for_roles(self, read: Callable[[str, tuple[str, ...]], tuple[str, ...]]) -> Permission:
        """Return the same with the roles that ``read(what, names)`` makes of those named here."""
        made = copy(self)
        for action in ACTIONS:
            setattr(made, action, read(f"The permission for {self.uri!r}", self.roles(action)))
        return made

    @classmethod
    def of_library(cls, uri: str, *, call: Iterable[str] | str = (), subscribe: Iterable[str] | str = ()) -> Permission:
        """Return a permission for the library's own URIs below ``wampflask.``, which an app cannot declare."""
        made = cls("wampflask_" + uri.partition(".")[2], call=call, subscribe=subscribe)
        made.uri = uri
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Permission) and self.as_rule() == other.as_rule()

    def __hash__(self) -> int:
        return hash(self.uri)

    def __repr__(self) -> str:
        granted = ", ".join(f"{action}={self.roles(action)}" for action in ACTIONS if self.roles(action))
        return f"Permission({self.uri!r}, {granted})"

    @property
    def shape(self) -> str:
        """See :func:`shape_of`."""
        return shape_of(self.uri)

    def roles(self, action: str) -> tuple[str, ...]:
        """Return the roles that may do ``action``: call, register, publish or subscribe."""
        found: tuple[str, ...] = getattr(self, action)
        return found

    def as_rule(self) -> dict[str, Any]:
        """Return plain data for the router's configuration (see ``plugin/rules.py``)."""
        return {
            "uri": self.uri,
            **{action: list(self.roles(action)) for action in ACTIONS if self.roles(action)},
            **({"disclose": True} if self.disclose else {}),
            **({"rate": list(self.rate)} if self.rate else {}),
        }


def shape_of(uri: str) -> str:
    """Return a permission's URI without the names of its components: two of one shape are for the same URIs."""
    return re.sub(r"<[^>]*>", "<>", uri)


def compile_rules(permissions: Iterable[Permission]) -> list[dict[str, Any]]:
    """Return all ``permissions`` as plain data, in the order of their URIs.

    :raises ValueError: when two of them are for the same URI.
    """
    rules: dict[str, dict[str, Any]] = {}
    for permission in permissions:
        if rules.setdefault(permission.shape, permission.as_rule()) != permission.as_rule():
            raise ValueError(f"Two permissions for {permission.uri!r}: declare one that grants both.")
    return [rules[shape] for shape in sorted(rules)]


def differences(permissions: Iterable[Permission], running: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what a router with the rules ``running`` does not know of ``permissions``: URIs, each with what is wrong.

    :raises ValueError: when two permissions are for the same URI.
    """
    declared = {rule["uri"]: rule for rule in compile_rules(permissions)}
    known = {rule["uri"]: rule for rule in running}
    found = [f"{uri} (new)" for uri in declared.keys() - known.keys()]
    found += [f"{uri} (taken back)" for uri in known.keys() - declared.keys()]
    found += [f"{uri} (changed)" for uri in declared.keys() & known.keys() if declared[uri] != known[uri]]
    return sorted(found)


def _read_rate(uri: str, rate: str) -> tuple[int, int]:
    """Return how many calls in how many seconds."""
    found = _RATE.fullmatch(rate)
    if not found or not int(found[1]):
        raise ValueError(
            f"The permission for {uri!r} has the rate {rate!r}: write a number and a unit, such as '10/second', "
            f"'5 per minute', of {', '.join(_SECONDS)}."
        )
    return int(found[1]), _SECONDS[found[2]]


def _check_uri(uri: str) -> str:
    first, *rest = uri.split(".")
    if not _LITERAL.fullmatch(first) or first in RESERVED:
        raise ValueError(
            f"The permission for {uri!r} must begin with a word of its app, not with {', '.join(RESERVED)}."
        )
    for part in rest:
        if not _PART.fullmatch(part):
            raise ValueError(
                f"The permission for {uri!r} has the component {part!r}: use [0-9a-z_], <name>, {{authid}}, {{claim}}."
            )
    return uri


def _check_roles(uri: str, roles: Iterable[str] | str) -> tuple[str, ...]:
    named = (roles,) if isinstance(roles, str) else tuple(roles)
    for role in cast("tuple[object, ...]", named):
        if not isinstance(role, str) or not _LITERAL.fullmatch(role) or (role in NEVER and role != ANONYMOUS):
            raise ValueError(f"The permission for {uri!r} names {role!r}: use {', '.join(ROLES)}, or your WAMP's own.")
    return named
