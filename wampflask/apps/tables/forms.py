"""Forms for pages without JavaScript; their CSRF tokens come with FlaskForm."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import HiddenField, IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from .models import NAME_MAX, VALUE_MAX


class RowForm(FlaskForm):  # type: ignore[misc]
    """One row; ``version`` is that of the row as it was shown."""

    name = StringField("Name", validators=[InputRequired("Enter a name."), Length(max=NAME_MAX)])
    value = IntegerField(
        "Value",
        validators=[
            InputRequired("Enter a whole number."),
            NumberRange(-VALUE_MAX, VALUE_MAX, message=f"Enter a number between -{VALUE_MAX:,} and {VALUE_MAX:,}."),
        ],
    )
    version = HiddenField()


class DeleteForm(FlaskForm):  # type: ignore[misc]
    """A button that deletes a row."""

    version = HiddenField()
