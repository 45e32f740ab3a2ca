"""Who called the procedure, or published the event, that a handler is handling."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import cast

from werkzeug.local import LocalProxy

from .plugin.tickets import Claim

USER = "user"
NAME_MAX = 100
"""Characters after an authid's kind."""

_AUTHID = re.compile(r"(user|visitor|agent|key|backend):")
_PLAIN = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyz")


AskClaims = Callable[[int], Mapping[str, Claim]]


@dataclass(frozen=True, slots=True)
class Caller:
    """What the router says of the other side; all ``None`` where it does not disclose it.

    :param session: the WAMP session id.
    :param authid: ``user:<id>`` or ``visitor:<random>``; ``backend`` for a Flask worker.
    :param role: the role of its ticket.
    :param uri: the procedure called, or the topic published to (of interest with patterns).
    :param known_claims: :attr:`claims`, once they are known; in a test, what they are to be.
    """

    session: int | None = None
    authid: str | None = None
    role: str | None = None
    uri: str | None = None
    known_claims: Mapping[str, Claim] | None = field(default=None, repr=False, compare=False)

    @property
    def claims(self) -> Mapping[str, Claim]:
        """What the caller's ticket claims: a word, or a list of words, by name; nothing for a Flask worker.

        WAMP does not send it with a call, so the router is asked for it: once a call, and only when it is used.

        :raises RuntimeError: outside of a handler.
        :raises NotConnected: there is no session.
        :raises WampTimeout: the router did not answer.
        """
        if self.known_claims is None:
            object.__setattr__(self, "known_claims", {} if self.session is None else _ask(self.session))
        return self.known_claims or {}

    @property
    def user_id(self) -> str | None:
        """The id of the person who is logged in, as it was given to :func:`user_authid`; None for others."""
        kind, _, name = (self.authid or "").partition(":")
        return _decode(name) if kind == USER and name else None


def user_authid(user_id: object) -> str:
    """Return the authid of a person who is logged in: ``user:`` and their id, so written that it can stand in a URI.

    Digits and lower-case letters stay as they are; every other byte becomes ``_`` and its two hexadecimal digits.

    :param user_id: of any kind: a number, a UUID, an e-mail address; what Flask-Login's ``get_id()`` returns.
    :raises ValueError: it is empty, or takes more than 100 characters when written so.
    """
    name = "".join(chr(byte) if byte in _PLAIN else f"_{byte:02x}" for byte in str(user_id).encode())
    if not name or len(name) > NAME_MAX:
        raise ValueError(f"The user id {user_id!r} is empty, or too long for an authid ({NAME_MAX} characters).")
    return f"{USER}:{name}"


def authid_of(user: object) -> str:
    """Return a user's authid: :func:`user_authid` of an id, or of a Flask-Login user's ``get_id()``.

    :raises ValueError: nobody is logged in; the id is an authid already, or cannot stand in one.
    """
    get_id = getattr(user, "get_id", None)
    user_id = get_id() if callable(get_id) else user
    if user_id is None:
        raise ValueError("This user has no id: nobody is logged in.")
    if isinstance(user_id, str) and _AUTHID.match(user_id):
        raise ValueError(f"{user_id!r} is an authid, not the id of a user: give authid={user_id!r}, or the id alone.")
    return user_authid(user_id)


def _decode(name: str) -> str | None:
    try:
        return re.sub(rb"_(..?)?", lambda found: bytes.fromhex(found[1].decode()), name.encode()).decode()
    except (ValueError, AttributeError):  # it was not made by user_authid
        return None


ask_claims: ContextVar[AskClaims] = ContextVar("wampflask.ask_claims")
current_caller: ContextVar[Caller] = ContextVar("wampflask.caller")


def _ask(session: int) -> Mapping[str, Claim]:
    asked = ask_claims.get(None)
    if asked is None:
        raise RuntimeError("A caller's claims can be asked for inside the handler alone: read them there.")
    return asked(session)


caller = cast(
    Caller,
    LocalProxy(
        current_caller,
        unbound_message="wampflask.caller is only there inside a handler of a WAMP procedure or event.",
    ),
)
"""The :class:`Caller` of the handler that runs in this thread."""
