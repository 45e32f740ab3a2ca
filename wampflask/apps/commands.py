"""``flask site init``: what a new instance folder needs before the site can serve from it."""

from __future__ import annotations

import json
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from . import backup
from .errors import SiteError
from .first_start import ADMIN_EMAIL, InitAnswer, prepare
from .serve import ServeError, hold_instance, serve_command

site = AppGroup("site", help="The whole site: prepare it, run it.")
site.add_command(serve_command)


def init_app(app: Flask) -> None:
    """Add the commands."""
    app.cli.add_command(site)


@site.command("init")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--admin", "email", default=ADMIN_EMAIL, show_default=True, help="The first admin's address.")
def init(*, as_json: bool, email: str) -> None:
    """Create secrets, database, roles, a first admin, example questions and alert rules; what exists stays.

    The admin's password is generated and shown only once: the database has its hash. Change it on the site after the
    first log-in, or with 'flask users set-password'.
    """
    answer = prepare(email)
    click.echo(json.dumps(answer) if as_json else _text(answer))


def _text(answer: InitAnswer) -> str:
    admin = answer["admin"]
    lines = [f"Instance: {answer['instance']}", f"Questions: {answer['questions']}", f"Admin: {admin['email']}"]
    if admin["password"]:
        lines.append(f"Password: {admin['password']} (shown only once)")
    return "\n".join(lines)


@site.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup_command(file: Path) -> None:
    """Write database, secrets, keys, media and settings into FILE, also while the site runs.

    FILE is a .tar.gz archive, and as secret as the instance folder: only its owner can read it.
    """
    try:
        backup.backup(file)
    except SiteError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Wrote {file} ({file.stat().st_size} bytes)")


@site.command("restore")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="Also where there is a database already: it is lost.")
def restore_command(file: Path, *, replace: bool) -> None:
    """Restore FILE into this instance; the site must not run."""
    try:
        with hold_instance(Path(current_app.instance_path)):
            backup.restore(file, replace=replace)
    except (SiteError, ServeError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Restored {file} into {current_app.instance_path}. Start the site again.")
