"""The declared permissions, compiled: who may do what. Plain data in, plain answers out; any thread.

A rule is what ``wampflask.permissions.compile_rules`` writes into the router's configuration::

    {"uri": "chat.room.<label>.message", "publish": ["user"], "subscribe": ["visitor", "user"],
     "call": [], "register": [], "disclose": false, "rate": [10, 1]}

``<name>`` stands for any one component, ``{authid}`` and ``{claim}`` for what the session's ticket says, ``{session}``
for its id. ``rate``: how many calls one caller may make, and in how many seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

ACTIONS = ("call", "register", "publish", "subscribe")
PROCEDURE = "wampflask.router.authorize"  # what Crossbar asks
MAX_LENGTH = 255  # of a URI
RULES = "wampflask.router.rules"  # what workers ask: the rules in force
ROLES = "wampflask.router.roles"  # the same for the roles that a session can have
CLAIMS = "wampflask.router.claims"  # the same for what a session's ticket claims
RESERVED = ("wamp", "wampflask", "crossbar")  # an app cannot declare anything below these
CLOSED = ("wamp", "crossbar")  # and no rule opens these: sessions' details are behind them

_COMPONENT = re.compile(r"[0-9a-z_]+")

# What an untrusted client's request may carry. Not among them: forward_for (Crossbar takes the caller's and the
# publisher's identity from it), retain (never expires and ignores eligible_*), eligible_*/exclude_*
# (events for one victim's eyes), concurrency (leaks slots), payload encryption (is not JSON).
_OPTIONS = {
    "call": frozenset({"timeout", "receive_progress"}),
    "register": frozenset({"force_reregister"}),
    "publish": frozenset({"acknowledge", "exclude_me"}),
    "subscribe": frozenset({"match", "get_retained"}),
}


Words = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Session:
    """The asking session, as its ticket describes it.

    ``words`` are its authid, its id and its claims by name; of several values of a claim any will do. ``scope``: the
    URIs below which it stays, whatever its role may; none for no such bound.
    """

    role: str
    words: Words
    scope: tuple[str, ...] = ()

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> Session:
        """Return the session with the details that Crossbar gives an authorizer."""
        extra = details.get("authextra") or {}
        claims = extra.get("claims") or {}
        authid = details.get("authid") or ""
        words = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in claims.items()}
        words |= {"authid": (authid.replace(":", "_", 1),), "session": (str(details.get("session") or ""),)}
        return cls(str(details.get("authrole")), words, tuple(extra.get("scope") or ()))

    def reaches(self, uri: str) -> bool:
        """Return whether ``uri``, or all that it matches, is in the scope."""
        return not self.scope or any(uri == text or uri.startswith(f"{text}.") for text in self.scope)


@dataclass(frozen=True, slots=True)
class Decision:
    """``disclose``: let the other side know who called or published."""

    allow: bool
    disclose: bool = False


DENY = Decision(allow=False)


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a rule's URI: a literal, any (``known``: any that the asker names), or a word of the ticket."""

    literal: str | None = None
    word: str | None = None
    known: bool = False

    @classmethod
    def parse(cls, text: str) -> Part:
        if text.startswith("<"):
            return cls(known=text.startswith("<!"))
        return cls(word=text[1:-1]) if text.startswith("{") else cls(literal=text)

    def meets(self, other: Part) -> bool:
        """Return whether a component can be covered by both."""
        return self.literal is None or other.literal is None or self.literal == other.literal

    def covers(self, component: str, words: Words) -> bool:
        """Return whether every value of ``component`` is covered; an empty one is a wildcard's "anything"."""
        if self.literal is None and self.word is None:
            return bool(component) or not self.known
        wanted = (self.literal,) if self.word is None else words.get(self.word, ())
        return bool(component) and component in wanted


@dataclass(frozen=True, slots=True)
class Rule:
    """One permission.

    :param foreign: an untrusted client may have registered what it lets call.
    :param rate: how many calls one caller may make, and in how many seconds; None for any number.
    """

    parts: tuple[Part, ...]
    roles: Mapping[str, frozenset[str]]
    disclose: bool
    foreign: bool = False
    rate: tuple[int, float] | None = None

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Rule:
        rate = data.get("rate")
        return cls(
            tuple(Part.parse(text) for text in str(data["uri"]).split(".")),
            {action: frozenset(data.get(action, ())) for action in ACTIONS},
            bool(data.get("disclose", False)),
            rate=(int(rate[0]), float(rate[1])) if rate else None,
        )

    @property
    def personal(self) -> bool:
        """Whether the URI holds a word of the ticket, so that it belongs to one principal."""
        return any(part.word is not None for part in self.parts)

    def covers(self, components: Sequence[str], words: Words) -> bool:
        return all(part.covers(text, words) for part, text in zip(self.parts, components, strict=True))

    def meets(self, other: Rule) -> bool:
        """Return whether a URI can be covered by both."""
        return len(self.parts) == len(other.parts) and all(map(Part.meets, self.parts, other.parts))

    def discloses(self, action: str) -> bool:
        """Return whether the other side learns who acts: handlers always do, untrusted clients where declared."""
        return self.disclose or (action == "call" and not self.foreign)


class Rules:
    """All rules of one realm, looked up by action, role and number of components.

    ``has_rates``: some procedure has a rate.
    """

    def __init__(self, data: Sequence[Mapping[str, Any]]) -> None:
        self._index: dict[tuple[str, str, int], list[Rule]] = {}
        rules = [Rule.parse(item) for item in data]
        self.has_rates = any(rule.rate for rule in rules)
        provided = [rule for rule in rules if rule.roles["register"]]
        for rule in (replace(rule, foreign=any(map(rule.meets, provided))) for rule in rules):
            for action, roles in rule.roles.items():
                for role in roles:
                    self._index.setdefault((action, role, len(rule.parts)), []).append(rule)

    def decide(self, session: Session, uri: str, action: str, options: Mapping[str, Any]) -> Decision:
        """Return whether ``session`` may do ``action`` on every URI that ``uri`` matches by ``options["match"]``."""
        if len(uri) > MAX_LENGTH:
            return DENY
        components = uri.split(".")
        match = options.get("match") or "exact"
        if components[0] in CLOSED or not _is_askable(components, match, action):
            return DENY
        if not session.reaches(uri):
            return DENY
        if any(value for name, value in options.items() if name not in _OPTIONS[action]):
            return DENY
        for rule in self._index.get((action, session.role, len(components)), ()):
            if rule.covers(components, session.words) and (rule.personal or not options.get("force_reregister")):
                return Decision(allow=True, disclose=rule.discloses(action))
        return DENY

    def rate_of_call(self, session: Session, uri: str) -> Rule | None:
        """Return the rule by whose rate ``session`` may call; None when it may at any, or not at all.

        Of several that permit it, as those of two versions of an app do, the most generous counts.
        """
        components = uri.split(".")
        index = self._index.get(("call", session.role, len(components)), ())
        permitting = [rule for rule in index if rule.covers(components, session.words)]
        rated = [(rule.rate[0] / rule.rate[1], position) for position, rule in enumerate(permitting) if rule.rate]
        return permitting[max(rated)[1]] if rated and len(rated) == len(permitting) else None


def _is_askable(components: Sequence[str], match: str, action: str) -> bool:
    """Return whether it may be asked for: a strict URI; a subscription's wildcard with a first component; no prefix."""
    if match == "exact":
        return all(map(_COMPONENT.fullmatch, components))
    if match != "wildcard" or action != "subscribe":
        return False
    return bool(components[0]) and all(not text or _COMPONENT.fullmatch(text) for text in components)
