"""Forms for pages without JavaScript; their CSRF tokens come with FlaskForm."""

from __future__ import annotations

import secrets

from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import Length

from .validation import NAME_MAX, TEXT_MAX, TOKEN_MAX


class SayForm(FlaskForm):  # type: ignore[misc]
    """A message. The token makes a form that is sent twice a single message."""

    text = TextAreaField("Message", validators=[Length(max=TEXT_MAX * 2)])
    token = HiddenField(validators=[Length(max=TOKEN_MAX)], default=lambda: secrets.token_hex(16))


class NameForm(FlaskForm):  # type: ignore[misc]
    """A person's name."""

    name = StringField("Your name", validators=[Length(max=NAME_MAX * 2)])


class ButtonForm(FlaskForm):  # type: ignore[misc]
    """A button that does one thing."""
