"""The admin: every model behind the admin role, by Flask-Admin, under the same rules as our own pages.

Each feature brings its views (``<feature>/admin.py``).
"""

from __future__ import annotations

from itertools import chain

from flask import Flask
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme

from wampflask.apps.accounts.admin import account_views
from wampflask.apps.admin_views import Home
from wampflask.apps.bridge.admin import bridge_views
from wampflask.apps.chat.admin import chat_views
from wampflask.apps.extensions import db
from wampflask.apps.headers import nonce
from wampflask.apps.monitor.admin import monitor_views
from wampflask.apps.player.admin import media_views
from wampflask.apps.polls.admin import poll_views
from wampflask.apps.tables.admin import table_views

from .settings import SettingsView

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Mount ``/admin/``."""
    admin = Admin(
        app,
        name="wampflask",
        index_view=Home(name="Start", url="/admin"),
        theme=Bootstrap4Theme(swatch="default", fluid=True),
        csp_nonce_generator=nonce,
    )
    features = (
        poll_views(db),
        monitor_views(db),
        chat_views(db),
        media_views(),
        table_views(db),
        account_views(db),
        bridge_views(),
    )
    for view in chain.from_iterable(features):
        admin.add_view(view)
    admin.add_view(SettingsView(name="Settings", endpoint="settings"))
