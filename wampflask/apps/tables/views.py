"""``/tables/``: the live table, which works without JavaScript, too."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from wampflask.apps import wire
from wampflask.apps.access import for_users, is_user
from wampflask.apps.errors import Conflict, Invalid, NotFound, SiteError
from wampflask.apps.extensions import db

from . import service
from .forms import DeleteForm, RowForm
from .models import NAME_MAX, VALUE_MAX
from .procedures import values

blueprint = Blueprint("tables", __name__)

NEW = 0
"""Stands for the key of a row that is being added."""


@blueprint.get("/tables/")
def index() -> str:
    """Show ``tables/index.html`` (rows; may_delete; trouble: why nothing was saved; typed: what was entered, as
    (key, name, value) with key 0 for a new row; conflict: the key of a row that someone else has changed).
    """
    return _page()


@blueprint.post("/tables/")
def create() -> ResponseReturnValue:
    """Add a row: form fields ``name`` and ``value``."""
    try:
        name, value = _entered()
        service.create(db.session(), name, value)
        db.session.commit()
    except SiteError as error:
        return _refused(error, NEW)
    flash("Row added.", "success")
    return redirect(url_for("tables.index"))


@blueprint.post("/tables/<int:key>")
def change(key: int) -> ResponseReturnValue:
    """Change a row: form fields ``name``, ``value`` and ``version``. A conflict shows both versions."""
    try:
        name, value = _entered()
        service.change(db.session(), key, _version(), name, value)
        db.session.commit()
    except NotFound as error:
        return _refused(error, NEW)
    except SiteError as error:
        return _refused(error, key)
    flash("Row saved.", "success")
    return redirect(url_for("tables.index"))


@blueprint.post("/tables/<int:key>/delete")
@for_users
def delete(key: int) -> ResponseReturnValue:
    """Delete a row: form field ``version``."""
    try:
        service.delete(db.session(), key, _version())
        db.session.commit()
    except SiteError as error:
        return _refused(error)
    flash("Row deleted.", "success")
    return redirect(url_for("tables.index"))


def _entered() -> tuple[str, int]:
    form = RowForm()
    if not form.validate_on_submit():
        raise Invalid(next((error for errors in form.errors.values() for error in errors), "Reload and try again."))
    return form.name.data or "", form.value.data or 0


def _version() -> int:
    return wire.from_form(request.form.get("version", ""), "This form is incomplete. Reload the page and try again.")


def _refused(error: SiteError, key: int | None = None) -> ResponseReturnValue:
    db.session.rollback()
    return _page(str(error), key, conflict=key if isinstance(error, Conflict) else None), error.status


def _page(trouble: str = "", key: int | None = None, conflict: int | None = None) -> str:
    """Render the table; ``key`` is that of the row whose form was refused, and which keeps what was entered."""
    return render_template(
        "tables/index.html",
        rows=service.rows(db.session()),
        values=values,
        may_delete=is_user(),
        trouble=trouble,
        typed=(key, request.form.get("name", ""), request.form.get("value", "")) if key is not None else None,
        conflict=conflict,
        form=DeleteForm(formdata=None),
        name_max=NAME_MAX,
        value_max=VALUE_MAX,
    )
