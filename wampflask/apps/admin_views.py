"""What every page of the admin has in common: admins only, CSRF tokens, the site's colours, errors in plain words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

from flask import abort, current_app, flash, get_template_attribute, request
from flask_admin import AdminIndexView
from flask_admin.actions import action
from flask_admin.contrib.sqla import ModelView
from flask_admin.form import BaseForm
from flask_admin.model.typefmt import BASE_FORMATTERS
from flask_wtf import FlaskForm
from sqlalchemy.exc import DataError, DBAPIError, InvalidRequestError, StatementError
from werkzeug.exceptions import HTTPException

from wampflask.apps.access import is_admin, refuse
from wampflask.apps.admin_fields import Converter, Filters, enum_labels
from wampflask.apps.assets import asset
from wampflask.apps.errors import SiteError
from wampflask.apps.extensions import db
from wampflask.apps.headers import mark_private

UNREADABLE = (ValueError, OverflowError, LookupError, StatementError, InvalidRequestError)
"""What a value raises that a column, a filter or a page number cannot have."""


class AdminForm(BaseForm):  # type: ignore[misc]
    """Flask-Admin's forms, with the site's CSRF tokens."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        pass


class ForAdmins:
    """Open to admins only."""

    @property
    def extra_css(self) -> list[str]:
        """Return the site's style sheet."""
        return [asset("css/admin.css")]

    def is_accessible(self) -> bool:
        """Return whether the current user is an admin."""
        mark_private()
        return is_admin()

    def inaccessible_callback(self, _name: str, **_kwargs: Any) -> Any:
        """Send visitors to log in; answer users with a 403."""
        return refuse()


class Home(ForAdmins, AdminIndexView):  # type: ignore[misc]
    """The first page, ``/admin/``."""


def _enum_label(view: Any, value: StrEnum, name: str) -> str:
    choices = ((view.form_args or {}).get(name) or {}).get("choices")
    return str((choices or enum_labels(type(value)))[value.value])


def _moment(_view: Any, value: datetime, _name: str) -> Any:
    """Format a moment as every page does: in UTC, and in the visitor's own time with JavaScript."""
    return get_template_attribute("macros/times.html", "time")(value)


class SiteModelView(ForAdmins, ModelView):  # type: ignore[misc]
    """A model's pages. The message of a :class:`SiteError` is shown beside the form."""

    form_base_class = AdminForm
    model_form_converter = Converter
    filter_converter = Filters()
    column_type_formatters = {StrEnum: _enum_label, datetime: _moment, **BASE_FORMATTERS}  # noqa: RUF012 - Flask-Admin's way of declaring
    can_set_page_size = True
    page_size = 50

    @action("delete", "Delete", "Are you sure you want to delete selected records?")  # type: ignore[untyped-decorator]
    def action_delete(self, ids: list[str]) -> None:
        """Delete rows; Flask-Admin asks the database for text where it has numbers, which only SQLite accepts."""
        super().action_delete([int(number) for number in ids if number.isdecimal()])

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Answer values that no database can look for with a 404: Flask-Admin passes them on unchecked."""
        try:
            return super()._run_view(fn, *args, **kwargs)
        except (HTTPException, SiteError):
            raise
        except UNREADABLE as error:
            if isinstance(error, DBAPIError) and not isinstance(error, DataError):
                raise
            db.session.rollback()
            current_app.logger.warning("Not found: %s", request.full_path, exc_info=error)
            abort(404)

    def handle_view_exception(self, exc: Exception) -> bool:
        """Show what a rule refused; other errors are handled as everywhere."""
        if isinstance(exc, SiteError):
            flash(str(exc), "error")
            return True
        return bool(super().handle_view_exception(exc))


class ReadOnlyView(SiteModelView):
    """A model's pages where nothing can be created, changed or deleted."""

    can_create = False
    can_edit = False
    can_delete = False
