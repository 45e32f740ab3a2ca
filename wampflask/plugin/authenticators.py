"""Crossbar's ``function`` authenticators: who may join as whom. In the router's reactor thread.

Crossbar keeps one authenticator for each ``create`` name, so each transport has a name of its own:
:func:`backends` for the workers' socket, :func:`clients` for browsers and agents, :func:`everyone`
where workers join over the network too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autobahn.wamp.exception import ApplicationError
from txaio.tx import make_logger

from . import blocks, revocations
from .blocks import Block
from .file_cache import CachedFile
from .tickets import BACKEND, ELSEWHERE, NEVER, TicketError, Tickets

log = make_logger()

Principal = dict[str, Any]
Authenticator = Callable[[str | None, str | None, Mapping[str, Any]], Principal]


class Gate:
    """The tickets of one realm, and which of them were revoked.

    :param secret: file of the ticket secret.
    :param revoked: file of the revocations.
    :param blocked: file of the blocks.
    :param roles: that browsers and programs may have here.
    """

    def __init__(
        self, realm: str, *, secret: str, revoked: str, blocked: str, lifetime: float, roles: Sequence[str]
    ) -> None:
        self.roles = frozenset(roles) - frozenset(NEVER)
        self._tickets = CachedFile(secret, lambda text: Tickets(text.strip(), realm, lifetime))
        self._revoked: CachedFile[dict[str, float]] = CachedFile(revoked, revocations.parse, {})
        self._blocked: CachedFile[dict[str, Block]] = CachedFile(blocked, blocks.parse, {})

    def admit(self, ticket: object, admits: Admits) -> Principal:
        """Return the principal of a valid ticket for a role that ``admits`` lets in.

        :raises TicketError: for every other.
        """
        revoked, blocked = self._revoked.read(), self._blocked.read()
        found = self._tickets.read().verify(
            ticket, revoked_before=lambda authid: revoked.get(authid, 0.0), block_of=blocked.get
        )
        if not admits(self, found.role):
            raise TicketError(ELSEWHERE)
        return {
            "role": found.role,
            "authid": found.authid,
            "realm": found.realm,
            "extra": {"claims": dict(found.claims), **({"scope": list(found.scope)} if found.scope else {})},
        }


Admits = Callable[[Gate, str], bool]


def _authenticator(config: Mapping[str, Any], admits: Admits) -> Authenticator:
    gates = {realm: Gate(realm, **files) for realm, files in config["realms"].items()}

    def authenticate(realm: str | None, authid: str | None, details: Mapping[str, Any]) -> Principal:
        del authid  # the ticket decides
        try:
            principal = _gate(gates, realm).admit(details.get("ticket"), admits)
        except TicketError as error:
            log.debug("refused to join: {reason}", reason=error)
            raise ApplicationError(error.uri, str(error)) from None
        except Exception:  # a boundary: what goes wrong here is for the log, never for the client
            log.failure("wampflask: cannot check tickets: {log_failure.value}")
            raise ApplicationError("wampflask.error.unavailable", "tickets cannot be checked now") from None
        return principal

    return authenticate


def _gate(gates: Mapping[str, Gate], realm: str | None) -> Gate:
    gate = gates.get(realm or "")
    if gate is None:
        raise TicketError("not a ticket for this realm")
    return gate


def backends(config: Mapping[str, Any], controller: object) -> Authenticator:  # noqa: ARG001 - Crossbar's signature
    """Return the authenticator of the workers' socket, as Crossbar's ``create``: role backend alone."""
    return _authenticator(config, lambda _gate, role: role == BACKEND)


def clients(config: Mapping[str, Any], controller: object) -> Authenticator:  # noqa: ARG001 - Crossbar's signature
    """Return the authenticator of browsers and agents, as Crossbar's ``create``: everyone with a ticket except backend.

    A role of Crossbar's own, such as ``trusted``, is never admitted, even with a valid signature.
    """
    return _authenticator(config, lambda gate, role: role in gate.roles)


def everyone(config: Mapping[str, Any], controller: object) -> Authenticator:  # noqa: ARG001 - Crossbar's signature
    """Return the authenticator, as Crossbar's ``create``, where Flask workers join over the network as well."""
    return _authenticator(config, lambda gate, role: role == BACKEND or role in gate.roles)
