"""Users: made, found, let in and shut out. Knows neither Flask nor WAMP.

Passwords come here as hashes: hashing needs the app's keys.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .models import Role, User

ADMIN = "admin"
MODERATOR = "moderator"
ROLES = {
    ADMIN: "May do everything: polls, accounts, the admin pages.",
    MODERATOR: "May delete messages in chat rooms, mute and ban.",
}
PASSWORD_MIN = 10

# No letters that are taken for each other: it is read from a terminal and typed on a phone.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


_STAND_IN = "example.org"  # for "localhost", which validators refuse since no mail can go there


class AccountError(Exception):
    """What was asked cannot be done; the message says why, for the person who asked."""


def generate_password() -> str:
    """Four groups of four, about 79 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def ensure_roles(session: Session) -> None:
    """Make the roles that the site knows, where they are missing."""
    have = set(session.scalars(select(Role.name)))
    session.add_all(Role(name=name, description=text) for name, text in ROLES.items() if name not in have)
    session.flush()


def create_user(session: Session, email: str, password_hash: str, roles: Sequence[str] = ()) -> User:
    """Add a user.

    :raises AccountError: no address, already there, or an unknown role.
    """
    address = normal_email(email)
    if session.scalar(select(User).where(func.lower(User.email) == address.lower())):
        raise AccountError(f"There is a user {address} already.")
    user = User(email=address, password=password_hash, active=True, fs_uniquifier=uuid.uuid4().hex)
    user.roles = [role_named(session, name) for name in dict.fromkeys(roles)]
    session.add(user)
    session.flush()
    return user


def normal_email(email: str) -> str:
    """An e-mail address in the one form we keep. ``name@localhost`` is one, too: for a machine of one's own.

    :raises AccountError: it is none.
    """
    name, _, host = email.strip().rpartition("@")
    is_local = host.lower() == "localhost"
    try:
        checked = validate_email(f"{name}@{_STAND_IN if is_local else host}", check_deliverability=False)
    except EmailNotValidError as error:
        raise AccountError(f"{email!r} is not an e-mail address: {error}") from None
    return f"{checked.local_part}@localhost" if is_local else checked.normalized


def user_with(session: Session, email: str) -> User:
    """The user with this address, whatever its case.

    :raises AccountError: there is none.
    """
    user = session.scalar(select(User).where(func.lower(User.email) == email.strip().lower()))
    if user is None:
        raise AccountError(f"There is no user {email!r}. See them with 'flask users list'.")
    return user


def has_address_named(session: Session, name: str) -> bool:
    """Whether somebody's address begins with this name and @, whatever its case and blanks."""
    local = "".join(name.split()).casefold()
    wanted = func.lower(User.email).startswith(local + "@", autoescape=True)
    return session.scalar(select(User.id).where(wanted).limit(1)) is not None


def role_named(session: Session, name: str) -> Role:
    """:raises AccountError: there is none of this name."""
    role = session.scalar(select(Role).where(Role.name == name))
    if role is None:
        known = ", ".join(session.scalars(select(Role.name).order_by(Role.name))) or "none yet; run 'flask site init'"
        raise AccountError(f"There is no role {name!r}. Roles: {known}.")
    return role


def list_users(session: Session) -> Sequence[User]:
    """Everybody, by address."""
    return session.scalars(select(User).order_by(User.email)).all()


def first_admin(session: Session) -> User | None:
    """The oldest active admin."""
    query = select(User).where(User.active, User.roles.any(Role.name == ADMIN)).order_by(User.id).limit(1)
    return session.scalar(query)


def set_password(user: User, password_hash: str) -> None:
    """Give a new password; every log-in with the old one ends."""
    user.password = password_hash
    end_logins(user)


def set_active(session: Session, user: User, *, active: bool) -> None:
    """Let somebody in, or shut them out at once.

    :raises AccountError: it is the last active admin who would be shut out (see ``rules``).
    """
    user.active = active
    if not active:
        end_logins(user)
    session.flush()


def add_role(session: Session, user: User, name: str) -> None:
    """:raises AccountError: there is no such role."""
    role = role_named(session, name)
    if role not in user.roles:
        user.roles.append(role)


def remove_role(session: Session, user: User, name: str) -> None:
    """:raises AccountError: there is no such role, or nobody would be admin any more."""
    role = role_named(session, name)
    if role in user.roles:
        user.roles.remove(role)
    session.flush()


def end_logins(user: User) -> None:
    """Make every log-in cookie of this user worthless."""
    user.fs_uniquifier = uuid.uuid4().hex
