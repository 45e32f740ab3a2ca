"""``flask site init``: what a new instance folder needs before the site can serve from it."""

from __future__ import annotations

import json
from typing import TypedDict

import click
from flask import Flask, current_app
from flask.cli import AppGroup
from flask_migrate import upgrade
from flask_security.utils import hash_password

from wampflask.changes import unnoticed

from .accounts import service as accounts
from .actor import ADMIN
from .errors import SiteError
from .extensions import db
from .monitor.alerts.evaluation import first_rules
from .polls import samples
from .polls import service as polls
from .serve import serve_command

ADMIN_EMAIL = "admin@localhost"

site = AppGroup("site", help="The whole site: prepare it, run it.")
site.add_command(serve_command)


class AdminAnswer(TypedDict):
    """``password`` is null unless the account was made just now."""

    email: str | None
    password: str | None


class InitAnswer(TypedDict):
    """What ``flask site init --json`` prints."""

    instance: str
    admin: AdminAnswer
    questions: int


def init_app(app: Flask) -> None:
    """Add the commands."""
    app.cli.add_command(site)


@site.command("init")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--admin", "email", default=ADMIN_EMAIL, show_default=True, help="The first admin's address.")
def init(*, as_json: bool, email: str) -> None:
    """Make secrets, database, roles, a first admin, sample questions and alert rules; what is there already stays.

    The admin's password is made up and shown once: only its hash is kept. Change it on the site after the first
    log-in, or with 'flask users set-password'.
    """
    answer = prepare(email)
    click.echo(json.dumps(answer) if as_json else _text(answer))


def prepare(email: str) -> InitAnswer:
    """Bring the instance up to date."""
    upgrade()
    session = db.session()
    is_new = polls.count_questions(session) == 0 and accounts.first_admin(session) is None
    admin = _ensure_admin(email)
    if is_new:
        with unnoticed(session):
            for draft in reversed(samples.FIRST):  # the list shows the newest first
                polls.create_question(session, draft)
            session.add_all(first_rules())
    db.session.commit()
    return InitAnswer(instance=current_app.instance_path, admin=admin, questions=polls.count_questions(session))


def _ensure_admin(email: str) -> AdminAnswer:
    session = db.session()
    accounts.ensure_roles(session)
    if (admin := accounts.first_admin(session)) is not None:
        return AdminAnswer(email=admin.email, password=None)
    password = accounts.generate_password()
    try:
        user = accounts.create_user(session, email, hash_password(password), [ADMIN])
    except SiteError as error:
        raise click.ClickException(str(error)) from None
    return AdminAnswer(email=user.email, password=password)


def _text(answer: InitAnswer) -> str:
    admin = answer["admin"]
    lines = [f"Instance: {answer['instance']}", f"Questions: {answer['questions']}", f"Admin: {admin['email']}"]
    if admin["password"]:
        lines.append(f"Password: {admin['password']} — it is shown this once.")
    return "\n".join(lines)
