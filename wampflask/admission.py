"""Who may stay and who may come in: ending people's sessions, having them join again, and keeping them out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from flask import current_app

from . import audience, revocations
from ._client import Role
from ._current import current_client
from .plugin.blocks import LIFTED, Block
from .plugin.tickets import TicketBlocked


class Admission:
    """A part of :class:`wampflask.WAMP`."""

    def revoke(self, authid: str) -> None:
        """End a login's live sessions and refuse the tickets it was given so far: for log-out, password change, ban.

        Never fails because the router is away: its tickets are refused when it is back, and sessions are ended then.

        :param authid: such as ``user:17``.
        """
        self._end(authid, audience.REVOKED, "This login has ended.")

    def _end(self, authid: str, reason: str, message: str = "") -> None:
        client = current_client()
        file = Path(current_app.instance_path) / revocations.REVOKED_FILE
        revocations.revoke(file, authid, lifetime=client.config.ticket_lifetime)
        client.end_sessions(authid, reason, message)

    def refresh(self, *, user: object = None, visitor: str | None = None) -> None:
        """Have somebody's pages join again with what is true of them now: after their role or their claims changed.

        The tickets they were given so far are refused, and their sessions end; the browser client joins again at once.
        Call it once the change is committed. Never fails because the router is away.

        :param user: an id, or a Flask-Login user.
        :param visitor: an authid, such as ``caller.authid``.
        """
        self._end(audience.person(user, visitor), audience.REFRESH)

    def disconnect(
        self,
        *,
        user: object = None,
        visitor: str | None = None,
        session: int | None = None,
        authid: str | None = None,
        role: str | None = None,
        reason: str = "",
    ) -> None:
        """End somebody's sessions, one page's or a role's; they may join again. Never fails because the router is away.

        :param user: an id, or a Flask-Login user.
        :param visitor: an authid, such as ``caller.authid``.
        :param session: such as ``caller.session``.
        :param authid: of anybody, such as ``agent:web1``.
        :param role: everybody who has it, such as ``visitor``.
        :param reason: for people to read.
        """
        whose: str | int | Role
        whose = session or (Role(role) if role else audience.person(user, visitor, authid))
        current_client().end_sessions(whose, audience.DISCONNECTED, reason)

    def block(
        self,
        *,
        user: object = None,
        visitor: str | None = None,
        authid: str | None = None,
        until: datetime | float | None = None,
        reason: str = "",
    ) -> None:
        """Keep somebody out: their sessions end, and they get no ticket until then. Their pages say why.

        It is for one person as the tickets know them: who logs out is a visitor, who deletes cookies another one. Never
        fails because the router is away.

        :param user: an id, or a Flask-Login user.
        :param visitor: an authid, such as ``caller.authid``.
        :param authid: of anybody, such as ``agent:web1``.
        :param until: a moment with its time zone, or seconds from now; None until :meth:`unblock`.
        :param reason: for that person to read.
        :raises ValueError: for a moment without a time zone, or one that has passed.
        """
        whose = audience.person(user, visitor, authid)
        file = Path(current_app.instance_path) / revocations.BLOCKED_FILE
        revocations.block(file, whose, Block(audience.moment(until), reason))
        current_client().end_sessions(whose, TicketBlocked.uri, reason)

    def unblock(self, *, user: object = None, visitor: str | None = None, authid: str | None = None) -> None:
        """Lift a block; do nothing where there is none."""
        whose = audience.person(user, visitor, authid)
        revocations.block(Path(current_app.instance_path) / revocations.BLOCKED_FILE, whose, Block(LIFTED, ""))
