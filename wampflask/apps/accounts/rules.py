"""A rule for every change of an account, by any page or command: there is always an active admin."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, inspect, select
from sqlalchemy.orm import Session

from wampflask.apps.actor import ADMIN
from wampflask.apps.errors import Conflict

from .models import Role, User


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, _context: Any, _instances: Any) -> None:
    with session.no_autoflush:
        losing = [thing for thing in (*session.dirty, *session.deleted) if isinstance(thing, User)]
        losing = [user for user in losing if _was_admin(user) and not _stays_admin(session, user)]
        if losing and not _is_other_admin(session, losing):
            raise Conflict(f"{losing[0].email} is the only active admin. Make another user an admin first.")


def _was_admin(user: User) -> bool:
    attributes = inspect(user).attrs
    was_active = (*attributes.active.history.deleted, user.active)[0]
    roles = attributes.roles.history
    return bool(was_active) and any(role.name == ADMIN for role in (*roles.unchanged, *roles.deleted))


def _stays_admin(session: Session, user: User) -> bool:
    return user not in session.deleted and user.active and user.has_role(ADMIN)


def _is_other_admin(session: Session, losing: list[User]) -> bool:
    query = select(User.id).where(User.active, User.roles.any(Role.name == ADMIN))
    query = query.where(User.id.not_in([user.id for user in losing]))
    return session.scalar(query.limit(1)) is not None
