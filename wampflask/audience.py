"""People and their pages, addressed by who they are: to send to them, to end their sessions, to keep them out.

:class:`wampflask.WAMP` has the verbs. A person is ``user=``: an id or a Flask-Login user; or ``visitor=``: the authid
of somebody who is not logged in, as ``caller.authid`` has it. One page, such as a tab of a browser, is ``session=``:
its ``caller.session``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from math import isfinite
from typing import Any, Protocol

from ._current import current_client
from .caller import authid_of
from .options import DEFAULT_CALL, CallOptions, PublishOptions
from .plugin.tickets import VISITOR
from .publication import Publication

__all__ = ["Audience"]

Users = object
"""A user, or a list of users."""

REVOKED = "wampflask.close.revoked"
DISCONNECTED = "wampflask.close.disconnected"
REFRESH = "wampflask.close.refresh"

_MANY = (list, tuple, set, frozenset)


class Verbs(Protocol):
    """What an audience needs of :class:`wampflask.WAMP`."""

    def publish_later(self, topic: str, *args: Any, options: PublishOptions, **kwargs: Any) -> None: ...
    def publish_latest(self, topic: str, *args: Any, options: PublishOptions, **kwargs: Any) -> None: ...
    def call(self, procedure: str, *args: Any, options: CallOptions, **kwargs: Any) -> Any: ...


class Audience:
    """What :meth:`wampflask.WAMP.to` returns: sends to some alone. The router sees to it."""

    def __init__(self, wamp: Verbs, session: int | None, options: PublishOptions) -> None:
        self._wamp = wamp
        self._session = session
        self._options = options

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """:meth:`WAMP.publish` to them alone: to those of their pages that subscribe ``topic``, as their roles may."""
        current_client().publish(Publication.of("publish", topic, args, kwargs, self._options))

    def publish_later(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """:meth:`WAMP.publish_later` to them alone."""
        self._wamp.publish_later(topic, *args, options=self._options, **kwargs)

    def publish_latest(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """:meth:`WAMP.publish_latest` to them alone: the topic's last value for each audience."""
        self._wamp.publish_latest(topic, *args, options=self._options, **kwargs)

    def call(self, procedure: str, *args: Any, options: CallOptions = DEFAULT_CALL, **kwargs: Any) -> Any:
        """:meth:`WAMP.call` of what one page answers: ``todo.confirm``, registered as ``todo.confirm.{session}``.

        :raises TypeError: the audience is not one session.
        """
        if self._session is None:
            raise TypeError("Only one page can be called: wamp.to(session=…).call(…).")
        return self._wamp.call(f"{procedure}.{self._session}", *args, options=options, **kwargs)


def audience(
    wamp: Verbs,
    user: Users,
    visitor: str | None,
    session: int | Iterable[int] | None,
    except_user: Users,
    except_session: int | Iterable[int] | None,
) -> Audience:
    """See :meth:`WAMP.to`."""
    if all(given is None for given in (user, visitor, session, except_user, except_session)):
        raise TypeError("Say to whom: wamp.to(user=…), to(visitor=…), to(session=…), to(except_session=…).")
    wanted = [*_users(user), *([] if visitor is None else [_visitor(visitor)])]
    options = PublishOptions(
        eligible_authid=None if user is None and visitor is None else wanted,
        eligible_session=_sessions(session),
        exclude_authid=None if except_user is None else _users(except_user),
        exclude_session=_sessions(except_session),
    )
    return Audience(wamp, session if isinstance(session, int) else None, options)


def person(user: object = None, visitor: str | None = None, authid: str | None = None) -> str:
    """Return the authid of one person.

    :raises TypeError: neither or both are given.
    """
    if [user, visitor, authid].count(None) != 2:  # noqa: PLR2004 - one of three is given
        raise TypeError("Say who: user=…, or visitor=…, or authid=….")
    if authid is not None:
        return authid
    return authid_of(user) if visitor is None else _visitor(visitor)


def moment(until: datetime | float | None) -> float | None:
    """Return ``until`` in seconds since the epoch; None for good.

    :param until: a moment with its time zone, or seconds from now.
    :raises ValueError: for a moment without a time zone, and one that has passed.
    """
    if until is None:
        return None
    now = time.time()
    if isinstance(until, datetime):
        if until.tzinfo is None:
            raise ValueError(f"until={until!r} has no time zone: use datetime.now(UTC) + …, or seconds from now.")
        then = until.timestamp()
    else:
        then = now + until
    if not (isfinite(then) and then > now):
        raise ValueError(f"until={until!r} has passed: use a moment to come, seconds above 0, or None for good.")
    return then


def _users(users: Users) -> list[str]:
    return [authid_of(user) for user in (users if isinstance(users, _MANY) else () if users is None else (users,))]


def _visitor(authid: str) -> str:
    if not str(authid).startswith(f"{VISITOR}:"):
        raise ValueError(f"visitor={authid!r} is not the authid of a visitor, such as {VISITOR}:9f….")
    return authid


def _sessions(sessions: int | Iterable[int] | None) -> list[int] | None:
    if sessions is None or isinstance(sessions, int):
        return None if sessions is None else [sessions]
    return list(sessions)
