"""Prepares an instance: database, roles, a first admin, example polls and alert rules. What exists stays."""

from __future__ import annotations

import os
from typing import TypedDict

import click
from flask import current_app
from flask_migrate import upgrade
from flask_security.utils import hash_password

from wampflask.changes import unnoticed

from .accounts import service as accounts
from .actor import ADMIN
from .errors import Invalid, SiteError
from .extensions import db
from .monitor.alerts.evaluation import first_rules
from .polls import examples
from .polls import service as polls

ADMIN_EMAIL = "admin@localhost"
PASSWORD = "WAMPFLASK_ADMIN_PASSWORD"  # noqa: S105 - the name of a key


class AdminAnswer(TypedDict):
    """``password`` is null unless it was generated just now."""

    email: str | None
    password: str | None


class InitAnswer(TypedDict):
    """What ``flask site init --json`` prints."""

    instance: str
    admin: AdminAnswer
    questions: int


def prepare(email: str) -> InitAnswer:
    """Bring the instance up to date."""
    upgrade()
    session = db.session()
    is_new = polls.count_questions(session) == 0 and accounts.first_admin(session) is None
    admin = _ensure_admin(email)
    if is_new:
        with unnoticed(session):
            for draft in reversed(examples.FIRST):  # the list shows the newest first
                polls.create_question(session, draft)
            session.add_all(first_rules())
    db.session.commit()
    return InitAnswer(instance=current_app.instance_path, admin=admin, questions=polls.count_questions(session))


def _ensure_admin(email: str) -> AdminAnswer:
    session = db.session()
    accounts.ensure_roles(session)
    if (admin := accounts.first_admin(session)) is not None:
        return AdminAnswer(email=admin.email, password=None)
    given = os.environ.get(PASSWORD) or ""
    password = given or accounts.generate_password()
    try:
        _check(given)
        user = accounts.create_user(session, email, hash_password(password), [ADMIN])
    except SiteError as error:
        raise click.ClickException(str(error)) from None
    return AdminAnswer(email=user.email, password=None if given else password)


def _check(password: str) -> None:
    """:raises Invalid: the environment's password is too short."""
    if 0 < len(password) < accounts.PASSWORD_MIN:
        raise Invalid(f"{PASSWORD} needs {accounts.PASSWORD_MIN} characters or more.")
