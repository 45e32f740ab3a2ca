"""Who is asking for a ticket: what the app knows, and the ticket will say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .caller import authid_of
from .plugin.tickets import Claim, read_claims

__all__ = ["Identify", "Identity"]


@dataclass(frozen=True, slots=True, init=False)
class Identity:
    """Who is asking: what their ticket will say. Asked for each ticket, so that claims are never older than a session.

    ``Identity("staff", current_user.id, team=[team.id for team in current_user.teams])``

    :param role: one of the app's roles.
    :param user: the id of a person who is logged in, of any kind, or a Flask-Login user.
    :param authid: in place of ``user``, for somebody else: ``visitor:9f…``, ``agent:web1``.
    :param claims: what ``{name}`` in a permission's URI stands for: a whole number, a word of ``[0-9a-z_]``, or a list
        of them, of which any will do.
    :raises ValueError: for an id or a claim that cannot stand in a ticket.
    """

    role: str
    authid: str
    claims: Mapping[str, Claim]

    def __init__(self, role: str, user: object = None, /, *, authid: str = "", **claims: object) -> None:
        if (user is None) == (not authid):
            raise ValueError('An Identity has the id of a user, or else authid="kind:name".')
        object.__setattr__(self, "role", role)
        object.__setattr__(self, "authid", authid or authid_of(user))
        object.__setattr__(self, "claims", read_claims(claims))


Identify = Callable[[], Identity | None]
