"""The live table in the admin: open pages are updated at once."""

from __future__ import annotations

from flask_sqlalchemy import SQLAlchemy

from wampflask.apps.admin_views import SiteModelView

from .models import IntegerValue


class IntegerValueView(SiteModelView):
    """Named whole numbers."""

    column_list = ("id", "name", "value", "version")
    column_searchable_list = ("name",)
    form_columns = ("name", "value")


def table_views(db: SQLAlchemy) -> list[SiteModelView]:
    """Return the pages of this feature."""
    return [IntegerValueView(IntegerValue, db, name="Live table rows", category="Tables", endpoint="integer_values")]
