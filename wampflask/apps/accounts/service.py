"""Users and their roles. Knows neither Flask nor WAMP.

Passwords arrive here hashed, since hashing needs the app's keys.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Sequence

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wampflask.apps.actor import ADMIN, MODERATOR
from wampflask.apps.errors import Conflict, Invalid, NotFound

from .models import Role, User

ROLES = {
    ADMIN: "Can do everything: polls, hosts, accounts, the admin pages.",
    MODERATOR: "Can delete messages in chat rooms, mute and ban people.",
}
PASSWORD_MIN = 10

# No letters that look alike: passwords are read from a terminal and typed on a phone.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_STAND_IN = "example.org"  # for "localhost", which validators refuse since no mail can go there


def generate_password() -> str:
    """Return four groups of four characters, about 79 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def ensure_roles(session: Session) -> None:
    """Create the site's roles where they are missing."""
    have = set(session.scalars(select(Role.name)))
    session.add_all(Role(name=name, description=text) for name, text in ROLES.items() if name not in have)
    session.flush()


def emails_by_authid(session: Session, authids: Iterable[str]) -> dict[str, str]:
    """Return the addresses of the users among ``authids``, by authid."""
    numbers = [int(name) for kind, _, name in (authid.partition(":") for authid in authids) if kind == "user"]
    users = session.scalars(select(User).where(User.id.in_(numbers)))
    return {user.authid: user.email for user in users}


def create_user(session: Session, email: str, password_hash: str, roles: Sequence[str] = ()) -> User:
    """Add a user.

    :raises Invalid: not an address.
    :raises Conflict: there is such a user already.
    :raises NotFound: an unknown role.
    """
    address = normal_email(email)
    if session.scalar(select(User).where(func.lower(User.email) == address.lower())):
        raise Conflict(f"There is a user {address} already.")
    user = User(email=address, password=password_hash, active=True, fs_uniquifier=uuid.uuid4().hex)
    user.roles = [role_named(session, name) for name in dict.fromkeys(roles)]
    session.add(user)
    session.flush()
    return user


def normal_email(email: str) -> str:
    """Return an e-mail address in the form that is stored. ``name@localhost`` is allowed, for a site on one's machine.

    :raises Invalid: not an address.
    """
    name, _, host = email.strip().rpartition("@")
    is_local = host.lower() == "localhost"
    try:
        checked = validate_email(f"{name}@{_STAND_IN if is_local else host}", check_deliverability=False)
    except EmailNotValidError as error:
        raise Invalid(f"{email!r} is not an e-mail address: {error}") from None
    return f"{checked.local_part}@localhost" if is_local else checked.normalized


def user_with(session: Session, email: str) -> User:
    """Return the user with this address, in upper or lower case.

    :raises NotFound: there is none.
    """
    user = session.scalar(select(User).where(func.lower(User.email) == email.strip().lower()))
    if user is None:
        raise NotFound(f"There is no user {email!r}. 'flask users list' shows all users.")
    return user


def has_address_named(session: Session, name: str) -> bool:
    """Return whether a user's address is this name followed by @; case and blanks don't count."""
    local = "".join(name.split()).casefold()
    wanted = func.lower(User.email).startswith(local + "@", autoescape=True)
    return session.scalar(select(User.id).where(wanted).limit(1)) is not None


def role_named(session: Session, name: str) -> Role:
    """Return the role with this name.

    :raises NotFound: there is no such role.
    """
    role = session.scalar(select(Role).where(Role.name == name))
    if role is None:
        known = ", ".join(session.scalars(select(Role.name).order_by(Role.name))) or "none yet; run 'flask site init'"
        raise NotFound(f"There is no role {name!r}. Roles: {known}.")
    return role


def list_users(session: Session) -> Sequence[User]:
    """Return all users, by address."""
    return session.scalars(select(User).order_by(User.email)).all()


def first_admin(session: Session) -> User | None:
    """Return the oldest active admin."""
    query = select(User).where(User.active, User.roles.any(Role.name == ADMIN)).order_by(User.id).limit(1)
    return session.scalar(query)


def set_password(user: User, password_hash: str) -> None:
    """Set a new password; log-ins with the old one end."""
    user.password = password_hash
    end_logins(user)


def set_active(session: Session, user: User, *, active: bool) -> None:
    """Let a user log in, or end their log-ins and refuse new ones.

    :raises Conflict: this would deactivate the last active admin (see ``rules``).
    """
    user.active = active
    if not active:
        end_logins(user)
    session.flush()


def add_role(session: Session, user: User, name: str) -> None:
    """Give a user a role.

    :raises NotFound: there is no such role.
    """
    role = role_named(session, name)
    if role not in user.roles:
        user.roles.append(role)


def remove_role(session: Session, user: User, name: str) -> None:
    """Take a role from a user.

    :raises NotFound: there is no such role.
    :raises Conflict: no admin would be left.
    """
    role = role_named(session, name)
    if role in user.roles:
        user.roles.remove(role)
    session.flush()


def end_logins(user: User) -> None:
    """Make every log-in cookie of this user invalid."""
    user.fs_uniquifier = uuid.uuid4().hex
