"""``/tables/``: the live table, readable and writable without JavaScript too."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from wampflask.apps.extensions import db
from wampflask.apps.guard import refuse

from . import service
from .forms import DeleteForm, RowForm
from .models import NAME_MAX, VALUE_MAX, Refused
from .procedures import values

blueprint = Blueprint("tables", __name__)

TAKEN = "There is a row of that name already."
NEW = 0
"""Stands for the key of a row that is being added."""
CHANGED = "Someone else changed that row meanwhile; nothing was lost. Compare and save again."


@blueprint.get("/tables/")
def index() -> str:
    """``tables/index.html`` (rows; may_delete; trouble: why nothing was saved; typed: what was written, as (key, name,
    value) with key 0 for a new row; conflict: the key of a row that someone else has changed).
    """
    return _page()


@blueprint.post("/tables/")
def create() -> ResponseReturnValue:
    """A new row: form fields ``name`` and ``value``."""
    form = RowForm()
    if not form.validate_on_submit():
        return _refused(_first_error(form), NEW)
    try:
        service.create(db.session(), form.name.data or "", form.value.data or 0)
        db.session.commit()
    except (Refused, IntegrityError) as error:
        return _refused(TAKEN if isinstance(error, IntegrityError) else str(error), NEW)
    flash("Added.", "success")
    return redirect(url_for("tables.index"))


@blueprint.post("/tables/<int:key>")
def change(key: int) -> ResponseReturnValue:
    """Change a row: form fields ``name``, ``value`` and ``version``. A conflict shows both."""
    form = RowForm()
    if not form.validate_on_submit():
        return _refused(_first_error(form), key)
    name, value = form.name.data or "", form.value.data or 0
    try:
        service.change(db.session(), key, _version(), name, value)
        db.session.commit()
    except (service.Conflict, StaleDataError):
        db.session.rollback()
        return _page(CHANGED, key, conflict=key), HTTPStatus.CONFLICT
    except service.Gone as error:
        return _refused(str(error), NEW)
    except (Refused, IntegrityError) as error:
        return _refused(TAKEN if isinstance(error, IntegrityError) else str(error), key)
    flash("Saved.", "success")
    return redirect(url_for("tables.index"))


@blueprint.post("/tables/<int:key>/delete")
def delete(key: int) -> ResponseReturnValue:
    """Delete a row: form field ``version``. For those who are logged in."""
    if not current_user.is_authenticated:
        return refuse()
    try:
        service.delete(db.session(), key, _version())
        db.session.commit()
    except (service.Conflict, StaleDataError):
        db.session.rollback()
        return _page(CHANGED), HTTPStatus.CONFLICT
    except service.Gone as error:
        return _refused(str(error))
    flash("Deleted.", "success")
    return redirect(url_for("tables.index"))


def _version() -> int:
    text = request.form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 - digits of an integer


def _refused(message: str, key: int | None = None) -> ResponseReturnValue:
    db.session.rollback()
    return _page(message, key), HTTPStatus.UNPROCESSABLE_ENTITY


def _first_error(form: RowForm) -> str:
    return next((error for errors in form.errors.values() for error in errors), "That did not work. Try again.")


def _page(trouble: str = "", key: int | None = None, conflict: int | None = None) -> str:
    """Render the table; ``key`` is of the row whose form was refused, and keeps what was written in it."""
    return render_template(
        "tables/index.html",
        rows=service.rows(db.session()),
        values=values,
        may_delete=current_user.is_authenticated,
        trouble=trouble,
        typed=(key, request.form.get("name", ""), request.form.get("value", "")) if key is not None else None,
        conflict=conflict,
        form=DeleteForm(formdata=None),
        name_max=NAME_MAX,
        value_max=VALUE_MAX,
    )
