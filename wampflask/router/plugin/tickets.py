"""Tickets: a short-lived signature over who joins the router as whom.

One definition for both sides: Flask mints, the router's plugin verifies. Standard library and
itsdangerous only. Everything here is safe in any thread.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from itsdangerous import BadData, URLSafeSerializer

BACKEND = "backend"  # Flask workers
TICKETED = ("visitor", "user", "admin", "agent")  # everybody else who joins with a ticket
MAX_LENGTH = 4096
MAX_CLAIM = 255
MIN_SECRET = 16
LEEWAY = 5.0  # seconds a ticket may come from the future, for clocks of two machines

FORGED = "not a ticket"  # the same whatever is wrong with it: who forges one learns nothing
ELSEWHERE = "not a ticket for this address"

_SALT = "wampflask.ticket"
_AUTHID = re.compile(r"[a-z]+(?::[0-9a-z_]{1,100})?")
_WORD = re.compile(rf"[0-9a-z_]{{1,{MAX_CLAIM}}}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def check_claims(claims: Mapping[str, object]) -> None:
    """See that claims can meet a permission's ``{name}``, which is one component of a URI.

    :raises ValueError: naming the first that cannot.
    """
    for name, value in claims.items():
        if not _NAME.fullmatch(name) or name == "authid":
            raise ValueError(
                f"The claim {name!r} is not a name of lower-case letters, digits and _, other than authid."
            )
        if not isinstance(value, str) or not _WORD.fullmatch(value):
            raise ValueError(
                f"The claim {name}={value!r} would match nothing: it stands for one component of a URI, a text of "
                f"[0-9a-z_] with {MAX_CLAIM} characters at most. Several values need several names."
            )


class TicketError(Exception):
    """A ticket that is refused; ``uri`` is the WAMP error that the client gets, the text explains it."""

    uri = "wampflask.error.ticket_invalid"


class TicketExpired(TicketError):
    """Older than the ticket lifetime: fetch a new ticket for each connect."""

    uri = "wampflask.error.ticket_expired"


class TicketRevoked(TicketError):
    """Issued before its owner logged out, changed the password, or was banned."""

    uri = "wampflask.error.ticket_revoked"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a valid ticket says.

    :param claims: further words that may stand in a permission's URI as ``{name}``.
    :param issued: seconds since the epoch.
    """

    role: str
    authid: str
    realm: str
    issued: float
    claims: Mapping[str, str] = field(default_factory=dict)


class Tickets:
    """Mints and verifies the tickets of one realm.

    :param secret: shared by Flask and the router's plugin, never sent anywhere; 16 characters or more.
    :param realm: the only realm these tickets are good for.
    :param lifetime: seconds from minting to the last moment of joining; sessions joined in time stay.
    :param clock: seconds since the epoch.
    """

    def __init__(
        self, secret: str, realm: str, lifetime: float = 60.0, *, clock: Callable[[], float] = time.time
    ) -> None:
        if len(secret) < MIN_SECRET:
            raise ValueError("A ticket secret has 16 characters or more; delete the key file to get a new one.")
        self.realm = realm
        self.lifetime = lifetime
        self._clock = clock
        self._secret = secret
        self._derived: dict[str, str] = {}
        self._signer = URLSafeSerializer(
            secret, salt=_SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    def mint(self, role: str, authid: str, **claims: str) -> str:
        """A ticket for one connect (it may be used again until it expires).

        :param authid: a kind, alone or with a name: ``backend``, ``user:17``, ``visitor:9f…``.
        :raises ValueError: when role, authid or a claim cannot stand in a ticket, naming it.
        """
        if role not in (BACKEND, *TICKETED):
            raise ValueError(f"There is no ticket for the role {role!r}; the roles are {', '.join(TICKETED)}.")
        if not _AUTHID.fullmatch(authid):
            raise ValueError(f"The authid {authid!r} is not of the form 'kind' or 'kind:name' ([0-9a-z_]).")
        check_claims(claims)
        ticket = self._signer.dumps(
            {"role": role, "authid": authid, "realm": self.realm, "claims": claims, "issued": self._clock()}
        )
        if len(ticket) > MAX_LENGTH:
            raise ValueError(f"The claims make a ticket longer than {MAX_LENGTH} characters: claim less.")
        return str(ticket)

    def verify(self, ticket: object, *, revoked_before: Callable[[str], float] = lambda _: 0.0) -> Ticket:
        """What ``ticket`` says, when its signature, realm and age are right.

        :param revoked_before: of an authid, the moment up to which its tickets are revoked.
        :raises TicketError: one of its subclasses, or itself for everything that is not a ticket of ours.
        """
        found = self._read(ticket)
        age = self._clock() - found.issued
        if found.realm != self.realm or age < -LEEWAY:
            raise TicketError("not a ticket for this realm")
        if age > self.lifetime:
            raise TicketExpired("the ticket has expired: fetch a new one for each connect")
        if found.issued <= revoked_before(found.authid):
            raise TicketRevoked("the ticket has been revoked: log in again")
        return found

    def derive(self, purpose: str) -> str:
        """Another secret for another purpose, from which this one cannot be found."""
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
