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

from . import contract, service
from .forms import DeleteForm, RowForm
from .models import NAME_MAX, VALUE_MAX, Refused

blueprint = Blueprint("tables", __name__)

TAKEN = "There is a row of that name already."
CHANGED = "Somebody else changed that row meanwhile; nothing was lost. Compare and save again."


@blueprint.get("/tables/")
def index() -> str:
    """``tables/index.html`` (rows; may_delete; wanted: what somebody tried to write, by key, after a conflict)."""
    return _page()


@blueprint.post("/tables/")
def create() -> ResponseReturnValue:
    """A new row: form fields ``name`` and ``value``."""
    form = RowForm()
    if not form.validate_on_submit():
        return _page(_first_error(form)), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        service.create(db.session(), form.name.data or "", form.value.data or 0)
        db.session.commit()
    except (Refused, IntegrityError) as error:
        return _refused(TAKEN if isinstance(error, IntegrityError) else str(error))
    flash("Added.", "success")
    return redirect(url_for("tables.index"))


@blueprint.post("/tables/<int:key>")
def change(key: int) -> ResponseReturnValue:
    """Change a row: form fields ``name``, ``value`` and ``version``. A conflict shows both."""
    form = RowForm()
    if not form.validate_on_submit():
        return _page(_first_error(form)), HTTPStatus.UNPROCESSABLE_ENTITY
    name, value = form.name.data or "", form.value.data or 0
    try:
        service.change(db.session(), key, _version(), name, value)
        db.session.commit()
    except (service.Conflict, StaleDataError):
        db.session.rollback()
        return _page(CHANGED, wanted={key: (name, value)}), HTTPStatus.CONFLICT
    except (Refused, IntegrityError, service.Gone) as error:
        return _refused(TAKEN if isinstance(error, IntegrityError) else str(error))
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


def _refused(message: str) -> ResponseReturnValue:
    db.session.rollback()
    return _page(message), HTTPStatus.UNPROCESSABLE_ENTITY


def _first_error(form: RowForm) -> str:
    return next((error for errors in form.errors.values() for error in errors), "That did not work. Try again.")


def _page(trouble: str = "", wanted: dict[int, tuple[str, int]] | None = None) -> str:
    return render_template(
        "tables/index.html",
        rows=service.rows(db.session()),
        table=contract.TABLE,
        may_delete=current_user.is_authenticated,
        trouble=trouble,
        wanted=wanted or {},
        form=DeleteForm(formdata=None),
        name_max=NAME_MAX,
        value_max=VALUE_MAX,
    )
