"""``flask users …``: accounts from the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click
from flask.cli import AppGroup
from flask_security.utils import hash_password

from wampflask.apps.errors import SiteError
from wampflask.apps.extensions import db

from . import service
from .models import Role

users = AppGroup("users", help="Accounts: who can log in, and with which roles.")

P = ParamSpec("P")
R = TypeVar("R")

_PASSWORD = click.option(
    "--password", envvar="WAMPFLASK_USER_PASSWORD", help="Default: asked for; blank generates one, shown only once."
)
_PROMPT = "Password (leave blank to generate one)"


def _plainly(function: Callable[P, R]) -> Callable[P, R]:
    """Commit what the command did; print what the site refuses as one line."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            result = function(*args, **kwargs)
            db.session.commit()
        except SiteError as error:
            db.session.rollback()
            raise click.ClickException(str(error)) from None
        return result

    return run


def _choose_password(given: str | None) -> tuple[str, bool]:
    """Return the password given or typed, else a new one, and whether it was generated.

    It is asked for where there is a terminal, so that it need not stand in the shell's history.
    """
    if given is None and sys.stdin.isatty():
        given = str(click.prompt(_PROMPT, hide_input=True, default="", show_default=False))
    if not given:
        return service.generate_password(), True
    if len(given) < service.PASSWORD_MIN:
        raise click.ClickException(f"A password needs {service.PASSWORD_MIN} characters or more.")
    return given, False


@users.command("create")
@click.argument("email")
@click.option("--role", "roles", multiple=True, help="Such as admin; can be repeated.")
@_PASSWORD
@_plainly
def create(email: str, roles: tuple[str, ...], password: str | None) -> None:
    """Add the user EMAIL."""
    service.ensure_roles(db.session())
    chosen, generated = _choose_password(password)
    user = service.create_user(db.session(), email, hash_password(chosen), roles)
    click.echo(f"Created {user.email}{_roles_text(user.roles)}.")
    _show(chosen, generated=generated)


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(*, as_json: bool) -> None:
    """List all users."""
    found = service.list_users(db.session())
    if as_json:
        rows = [{"email": u.email, "active": u.active, "roles": [r.name for r in u.roles]} for u in found]
        click.echo(json.dumps(rows))
        return
    if not found:
        click.echo("No users yet. Create one with: flask users create you@example.org --role admin")
    for user in found:
        click.echo(f"{user.email}{_roles_text(user.roles)}{'' if user.active else ', deactivated'}")


@users.command("deactivate")
@click.argument("email")
@_plainly
def deactivate(email: str) -> None:
    """Deactivate EMAIL: log-ins and live sessions end at once."""
    user = service.user_with(db.session(), email)
    service.set_active(db.session(), user, active=False)
    click.echo(f"Deactivated {user.email}.")


@users.command("activate")
@click.argument("email")
@_plainly
def activate(email: str) -> None:
    """Let EMAIL log in again."""
    user = service.user_with(db.session(), email)
    service.set_active(db.session(), user, active=True)
    click.echo(f"Activated {user.email}.")


@users.command("set-password")
@click.argument("email")
@_PASSWORD
@_plainly
def set_password(email: str, password: str | None) -> None:
    """Set a new password for EMAIL; log-ins with the old one end."""
    user = service.user_with(db.session(), email)
    chosen, generated = _choose_password(password)
    service.set_password(user, hash_password(chosen))
    click.echo(f"Changed the password of {user.email}.")
    _show(chosen, generated=generated)


@users.command("add-role")
@click.argument("email")
@click.argument("role")
@_plainly
def add_role(email: str, role: str) -> None:
    """Give EMAIL the ROLE."""
    service.ensure_roles(db.session())
    user = service.user_with(db.session(), email)
    service.add_role(db.session(), user, role)
    click.echo(f"{user.email}{_roles_text(user.roles)}.")


@users.command("remove-role")
@click.argument("email")
@click.argument("role")
@_plainly
def remove_role(email: str, role: str) -> None:
    """Take the ROLE from EMAIL."""
    user = service.user_with(db.session(), email)
    service.remove_role(db.session(), user, role)
    click.echo(f"{user.email}{_roles_text(user.roles)}.")


def _show(chosen: str, *, generated: bool) -> None:
    if generated:
        click.echo(f"Password: {chosen} (shown only once)")


def _roles_text(roles: list[Role]) -> str:
    return f" ({', '.join(role.name for role in roles)})" if roles else ""
