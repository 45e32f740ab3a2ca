"""Live settings in the admin: what each is, where that comes from, and a field to change it."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose
from flask_security import current_user

from wampflask import ConfigError
from wampflask.apps.admin_views import ForAdmins
from wampflask.apps.extensions import wamp


class SettingsView(ForAdmins, BaseView):  # type: ignore[misc]
    """One page with a form for each setting."""

    @expose("/")  # type: ignore[untyped-decorator]
    def index(self) -> str:
        """Show all settings."""
        return self._page()

    @expose("/", methods=("POST",))  # type: ignore[untyped-decorator]
    def change(self) -> ResponseReturnValue:
        """Store a value, or take one back."""
        name = request.form.get("name", "")
        try:
            if request.form.get("action") == "reset":
                wamp.settings.reset(name)
                flash(f"{name} has its default again.", "success")
            else:
                wamp.settings.set(name, request.form.get("text", "").strip(), by=str(current_user.email))
                flash(f"{name} is changed, everywhere.", "success")
        except KeyError:
            abort(404)
        except ConfigError as error:
            return self._page(wrong=name, message=str(error).removeprefix(f"{name}: ")), 400
        return redirect(url_for(".index"))

    def _page(self, **more: Any) -> str:
        page: str = self.render("admin/settings.html", settings=list(wamp.settings), **more)
        return page
