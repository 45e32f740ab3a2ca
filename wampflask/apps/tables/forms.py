"""Forms for pages without JavaScript; their CSRF tokens come with FlaskForm."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import HiddenField, IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from .models import NAME_MAX, VALUE_MAX


class RowForm(FlaskForm):  # type: ignore[misc]
    """One row as somebody wants it; ``version`` is of the row they saw."""

    name = StringField("Name", validators=[InputRequired("A name needs some text."), Length(max=NAME_MAX)])
    value = IntegerField(
        "Value",
        validators=[
            InputRequired("A value is a whole number."),
            NumberRange(-VALUE_MAX, VALUE_MAX, message=f"A value is between -{VALUE_MAX:,} and {VALUE_MAX:,}."),
        ],
    )
    version = HiddenField()


class DeleteForm(FlaskForm):  # type: ignore[misc]
    """A button."""

    version = HiddenField()
