"""Who called the procedure, or published the event, that a handler is handling."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import cast

from werkzeug.local import LocalProxy

USER = "user"
NAME_MAX = 100
"""Characters after an authid's kind."""

_PLAIN = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class Caller:
    """What the router says of the other side; all ``None`` where it does not disclose it.

    :param session: the WAMP session id.
    :param authid: ``user:<id>`` or ``visitor:<random>``; ``backend`` for a Flask worker.
    :param role: the role of its ticket.
    :param uri: the procedure called, or the topic published to (of interest with patterns).
    """

    session: int | None = None
    authid: str | None = None
    role: str | None = None
    uri: str | None = None

    @property
    def user_id(self) -> str | None:
        """The id of the person who is logged in, as it was given to :func:`user_authid`; None for others."""
        kind, _, name = (self.authid or "").partition(":")
        return _decode(name) if kind == USER and name else None


def user_authid(user_id: object) -> str:
    """The authid of a person who is logged in: ``user:`` and their id, so written that it can stand in a URI.

    Digits and lower-case letters stay as they are; every other byte becomes ``_`` and its two hexadecimal digits.

    :param user_id: of any kind: a number, a UUID, an e-mail address; what Flask-Login's ``get_id()`` returns.
    :raises ValueError: it is empty, or takes more than 100 characters when written so.
    """
    name = "".join(chr(byte) if byte in _PLAIN else f"_{byte:02x}" for byte in str(user_id).encode())
    if not name or len(name) > NAME_MAX:
        raise ValueError(f"The user id {user_id!r} is empty, or too long for an authid ({NAME_MAX} characters).")
    return f"{USER}:{name}"


def _decode(name: str) -> str | None:
    try:
        return re.sub(rb"_(..?)?", lambda found: bytes.fromhex(found[1].decode()), name.encode()).decode()
    except (ValueError, AttributeError):  # it was not made by user_authid
        return None


current_caller: ContextVar[Caller] = ContextVar("wampflask.caller")

caller = cast(
    Caller,
    LocalProxy(
        current_caller,
        unbound_message="wampflask.caller is only there inside a handler of a WAMP procedure or event.",
    ),
)
"""The :class:`Caller` of the handler that runs in this thread."""
