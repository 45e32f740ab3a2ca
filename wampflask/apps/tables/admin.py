"""The live table in the admin: what is saved here shows on every open page at once."""

from __future__ import annotations

from flask_sqlalchemy import SQLAlchemy

from wampflask.apps.backoffice import SiteModelView

from .models import IntegerValue, Refused


class IntegerValueView(SiteModelView):
    """Named whole numbers."""

    refusals = (Refused,)
    column_list = ("id", "name", "value", "version")
    column_searchable_list = ("name",)
    form_columns = ("name", "value")


def table_views(db: SQLAlchemy) -> list[SiteModelView]:
    """The pages of this feature."""
    return [IntegerValueView(IntegerValue, db, name="Integer values", category="Tables", endpoint="integer_values")]
