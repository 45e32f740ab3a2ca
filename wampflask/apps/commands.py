"""``flask site init``: what a new instance folder needs before the site can serve from it."""

from __future__ import annotations

import json

import click
from flask import Flask
from flask.cli import AppGroup

from .first_start import ADMIN_EMAIL, InitAnswer, prepare
from .serve import serve_command

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
