"""Tickets: a short-lived signature over who joins the router as whom.

One definition for both sides: Flask mints, the router's plugin verifies. Standard library and
itsdangerous only. Everything here is safe in any thread.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from itsdangerous import BadData, URLSafeSerializer

from .blocks import Block

BACKEND = "backend"  # Flask workers
ANONYMOUS = "anonymous"  # who joins without a ticket
VISITOR = "visitor"  # people who are not logged in
PEOPLE = ("user", "admin")  # people who are, where an app has no roles of its own
PROGRAMS = ("agent",)  # the same of programs that join with tickets
TICKETED = (VISITOR, *PEOPLE, *PROGRAMS)
NEVER = (BACKEND, ANONYMOUS, "trusted")  # no browser's ticket may have these roles; the last is Crossbar's own
MAX_LENGTH = 4096
MAX_CLAIM = 255
MAX_VALUES = 200  # of one claim
OWN_WORDS = ("authid", "session")  # what a permission's {word} means without a claim
MIN_SECRET = 16
LEEWAY = 5.0  # seconds a ticket may come from the future, for clocks of two machines

FORGED = "not a ticket"  # the same whatever is wrong with it: who forges one learns nothing
ELSEWHERE = "not a ticket for this address"

Claim = str | list[str]
"""What a ticket says under a name: one component of a URI, or several of which any will do."""

_SALT = "wampflask.ticket"
_AUTHID = re.compile(r"[a-z]+(?::[0-9a-z_]{1,100})?")
_WORD = re.compile(rf"[0-9a-z_]{{1,{MAX_CLAIM}}}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def read_claims(claims: Mapping[str, object]) -> dict[str, Claim]:
    """Return ``claims`` as a ticket has them: each a word, or a list of words, that can fill a permission's ``{name}``.

    :param claims: words, whole numbers, or lists of them.
    :raises ValueError: naming the first that is neither.
    """
    for name in claims:
        if not _NAME.fullmatch(name) or name in OWN_WORDS:
            raise ValueError(
                f"The claim {name!r} is not a name of lower-case letters, digits and _, other than "
                f"{' and '.join(OWN_WORDS)}."
            )
    return {name: _read_claim(name, value) for name, value in claims.items()}


def _read_claim(name: str, value: object) -> Claim:
    if not isinstance(value, list | tuple | set | frozenset):
        return _read_word(name, value)
    words = list(dict.fromkeys(_read_word(name, item) for item in value))
    if len(words) > MAX_VALUES:
        raise ValueError(f"The claim {name} has {len(words)} values; {MAX_VALUES} are the most.")
    return sorted(words) if isinstance(value, set | frozenset) else words


def _read_word(name: str, value: object) -> str:
    word = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(word, str) or not _WORD.fullmatch(word):
        raise ValueError(
            f"The claim {name}={value!r} would match nothing: it stands for one component of a URI, a number or a text "
            f"of [0-9a-z_] with {MAX_CLAIM} characters at most. Several values are a list."
        )
    return word


class TicketError(Exception):
    """A ticket that is refused; ``uri`` is the WAMP error that the client gets, the text explains it."""

    uri = "wampflask.error.ticket_invalid"


class TicketExpired(TicketError):
    """Older than the ticket lifetime: fetch a new ticket for each connect."""

    uri = "wampflask.error.ticket_expired"


class TicketRevoked(TicketError):
    """Issued before its owner logged out, changed the password, or was banned."""

    uri = "wampflask.error.ticket_revoked"


class TicketBlocked(TicketError):
    """Its owner is blocked for now, or for good; the text is the reason, if there is one."""

    uri = "wampflask.close.blocked"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a valid ticket says.

    :param claims: further words that may stand in a permission's URI as ``{name}``: one, or any of several.
    :param issued: seconds since the epoch.
    :param scope: URIs below which its holder stays; none for everywhere that the role may be.
    """

    role: str
    authid: str
    realm: str
    issued: float
    claims: Mapping[str, Claim] = field(default_factory=dict)
    scope: Sequence[str] = ()


class Tickets:
    """Mints and verifies the tickets of one realm.

    :param secret: shared by Flask and the router's plugin, never sent anywhere; 16 characters or more.
    :param realm: the only realm these tickets are good for.
    :param lifetime: seconds from minting to the last moment of joining; sessions joined in time stay.
    :param roles: that a ticket can have, besides backend.
    :param clock: seconds since the epoch.
    """

    def __init__(
        self,
        secret: str,
        realm: str,
        lifetime: float = 60.0,
        *,
        roles: Sequence[str] = TICKETED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if len(secret) < MIN_SECRET:
            raise ValueError("A ticket secret has 16 characters or more; delete the key file to get a new one.")
        self.realm = realm
        self.lifetime = lifetime
        self.roles = tuple(roles)
        self._clock = clock
        self._secret = secret
        self._derived: dict[str, str] = {}
        self._signer = URLSafeSerializer(
            secret, salt=_SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    def mint(self, role: str, authid: str, scope: Sequence[str] = (), /, **claims: object) -> str:
        """Return a ticket for one connect (it may be used again until it expires).

        :param authid: a kind, alone or with a name: ``backend``, ``user:17``, ``visitor:9f…``.
        :param scope: URIs below which its holder stays.
        :raises ValueError: when role, authid or a claim cannot stand in a ticket, naming it.
        """
        if role not in (BACKEND, *self.roles):
            raise ValueError(f"There is no ticket for the role {role!r}; the roles are {', '.join(self.roles)}.")
        if not _AUTHID.fullmatch(authid):
            raise ValueError(f"The authid {authid!r} is not of the form 'kind' or 'kind:name' ([0-9a-z_]).")
        found = read_claims(claims)
        said = {"role": role, "authid": authid, "realm": self.realm, "claims": found, "issued": self._clock()}
        ticket = self._signer.dumps({**said, "scope": list(scope)} if scope else said)
        if len(ticket) > MAX_LENGTH:
            raise ValueError(f"The claims make a ticket longer than {MAX_LENGTH} characters: claim less.")
        return str(ticket)

    def verify(
        self,
        ticket: object,
        *,
        revoked_before: Callable[[str], float] = lambda _: 0.0,
        block_of: Callable[[str], Block | None] = lambda _: None,
    ) -> Ticket:
        """Return what ``ticket`` says, when its signature, realm and age are right.

        :param revoked_before: of an authid, the moment up to which its tickets are revoked.
        :param block_of: of an authid, what may keep it out.
        :raises TicketError: one of its subclasses, or itself for what this secret has not signed.
        """
        found = self._read(ticket)
        age = self._clock() - found.issued
        if found.realm != self.realm or age < -LEEWAY:
            raise TicketError("not a ticket for this realm")
        if age > self.lifetime:
            raise TicketExpired("the ticket has expired: fetch a new one for each connect")
        block = block_of(found.authid)
        if block is not None and block.holds(self._clock()):
            raise TicketBlocked(block.reason)
        if found.issued <= revoked_before(found.authid):
            raise TicketRevoked("the ticket has been revoked: log in again")
        return found

    def derive(self, purpose: str) -> str:
        """Derive another secret for another purpose, from which this one cannot be found."""
        if purpose not in self._derived:
            self._derived[purpose] = hmac.digest(self._secret.encode(), purpose.encode(), "sha256").hex()
        return self._derived[purpose]

    def _read(self, ticket: object) -> Ticket:
        if not isinstance(ticket, str) or len(ticket) > MAX_LENGTH:
            raise TicketError(FORGED)
        try:
            return Ticket(**self._signer.loads(ticket))
        except (BadData, TypeError, ValueError):
            raise TicketError(FORGED) from None
