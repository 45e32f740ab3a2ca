"""``wamp.after_commit(session)``: publications that leave when the database transaction commits.

Works with any SQLAlchemy session or scoped session. What was queued inside a savepoint goes with it when it is
rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction, scoped_session

from .errors import WampError

_KEY = "wampflask.after_commit"
_ENDING = "wampflask.after_end"


@dataclass(slots=True)
class _Waiting:
    send: Callable[[], object]
    transaction: SessionTransaction | None
    subject: object


def when_committed(
    session: Session | scoped_session[Any], send: Callable[[], object], *, subject: object = None
) -> None:
    """Call ``send`` once when the current transaction of ``session`` commits; never if it rolls back.

    :param subject: of several that are queued for one subject, only the last that was not rolled back is sent.

    ``send`` runs in the committing thread, outside of the transaction; a :class:`WampError` of it is logged, because
    the commit has happened and its caller must learn so.
    """
    real = session() if isinstance(session, scoped_session) else session
    waiting: list[_Waiting] = real.info.setdefault(_KEY, [])
    waiting.append(_Waiting(send, real.get_nested_transaction() or real.get_transaction(), subject))


def when_ended(session: Session, key: Hashable, function: Callable[[], None]) -> None:
    """Call ``function`` when the current transaction of ``session`` has ended, however it ends.

    Where none has begun yet it is called at once, and once more when the next one has ended: what is announced before
    the first statement may well be about that transaction. It runs in the thread that ends it, after the commit if it
    is one; it must not mind being called twice.

    :param key: of several functions with the same key one is called.
    """
    session.info.setdefault(_ENDING, {})[key] = function
    if not session.in_transaction():
        function()


# Of all sessions: there is a new one for each request, and to listen to that alone would cost more than all the rest.


@event.listens_for(Session, "after_transaction_end")
def _ended(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        waiting: dict[Hashable, Callable[[], None]] = session.info.pop(_ENDING, {})
        for function in waiting.values():
            function()


@event.listens_for(Session, "after_commit")
def _send(session: Session) -> None:
    if session.in_nested_transaction():
        return
    waiting: list[_Waiting] = session.info.pop(_KEY, [])
    last = {item.subject: item for item in waiting}
    for item in waiting:
        if item.subject is not None and last[item.subject] is not item:
            continue
        try:
            item.send()
        except WampError as error:
            current_app.logger.warning("Not published after the commit: %s", error)


@event.listens_for(Session, "after_soft_rollback")
def _drop(session: Session, transaction: SessionTransaction) -> None:
    if _KEY in session.info:
        session.info[_KEY] = [item for item in session.info[_KEY] if not _within(item.transaction, transaction)]


def _within(inner: SessionTransaction | None, outer: SessionTransaction) -> bool:
    while inner is not None and inner is not outer:
        inner = inner.parent
    return inner is outer
