"""People who log in: roles, passwords, and the live sessions that end with a log-in.

Flask-Security does the pages (``templates/security/``), this app its models, rules and commands.
"""

from __future__ import annotations

from flask import Flask

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Set up log-in pages, commands, and identities in WAMP."""
    from flask_security import SQLAlchemyUserDatastore

    from wampflask.apps.extensions import db, security, wamp

    from . import cli, identity, login_limits, revocation, rules
    from .models import Role, User

    del rules  # imported for what it watches
    security.init_app(app, SQLAlchemyUserDatastore(db, User, Role), register_blueprint=True)
    login_limits.init_app(app)
    revocation.init_app(app)
    wamp.identify(identity.identify)
    wamp.user_loader(identity.load)
    app.cli.add_command(cli.users)
