"""Users and roles in the admin."""

from __future__ import annotations

import uuid
from typing import Any

from flask_security.utils import hash_password
from flask_sqlalchemy import SQLAlchemy
from wtforms import PasswordField
from wtforms.validators import Length, Optional

from wampflask.apps.admin_views import SiteModelView
from wampflask.apps.errors import Invalid

from .models import Role, User
from .service import PASSWORD_MIN, normal_email


class UserView(SiteModelView):
    """Users. A new password can be set; passwords cannot be read."""

    column_list = ("email", "active", "roles", "created_at")
    column_searchable_list = ("email",)
    column_filters = ("active",)
    form_columns = ("email", "active", "roles", "new_password")
    form_extra_fields = {  # noqa: RUF012 - Flask-Admin's way of declaring
        "new_password": PasswordField(
            f"New password ({PASSWORD_MIN} characters or more; leave blank to keep the old one)",
            validators=[Optional(), Length(min=PASSWORD_MIN)],
            render_kw={"autocomplete": "new-password"},
        )
    }

    def on_model_change(self, form: Any, model: User, is_created: bool) -> None:
        """Normalize the address, hash a new password, and end log-ins with the old one."""
        model.email = normal_email(model.email or "")
        password = form.new_password.data
        if is_created and not password:
            raise Invalid("A new user needs a password.")
        if password:
            model.password = hash_password(password)
            model.fs_uniquifier = uuid.uuid4().hex


class RoleView(SiteModelView):
    """Roles; the site itself uses ``admin`` and ``moderator``."""

    column_list = ("name", "description")
    form_columns = ("name", "description")
    can_delete = False


def account_views(db: SQLAlchemy) -> list[SiteModelView]:
    """Return the pages of this feature."""
    return [
        UserView(User, db, name="Users", category="Accounts"),
        RoleView(Role, db, name="Roles", category="Accounts"),
    ]
