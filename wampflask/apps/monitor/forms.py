"""Forms of the host pages; their CSRF tokens come with FlaskForm."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField, SubmitField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange

from wampflask.apps.fields import NO_NUMBER, NumberField

from .contract import FREQUENCY, HANDOVER
from .metrics import GROUPS, SWITCHES
from .models import NAME_MAX, NOTES_MAX, Host

LABELS = {
    "name": "Display name",
    "labels": "Labels (comma-separated)",
    "frequency": "Report every (seconds)",
    "handover": "Save history every (seconds)",
    "disabled": "Pause monitoring",
    "notes": "Notes",
    **{switch: group.label for switch, group in GROUPS.items()},
}
"""Labels of a host's settings, wherever they are edited."""


class TokenForm(FlaskForm):  # type: ignore[misc]
    """A new token."""

    note = StringField("What is it for?", validators=[Length(max=NAME_MAX)])
    reusable = BooleanField("Can be used by any number of hosts until it expires")
    hours = SelectField(
        "Valid for", choices={"1": "1 hour", "24": "1 day", "168": "1 week", "2160": "90 days"}, default="24"
    )
    submit = SubmitField("Create an enrolment token")


def seconds_between(low: float, high: float) -> NumberRange:
    """Return a validator whose message names the range."""
    return NumberRange(low, high, message=f"Enter {low:g} to {high:g} seconds.")


class SettingsForm(FlaskForm):  # type: ignore[misc]
    """What a host's agent measures and how often, and how the host is shown."""

    name = StringField(LABELS["name"], validators=[Length(max=NAME_MAX)])
    labels = StringField(LABELS["labels"], validators=[Length(max=500)])
    frequency = NumberField(LABELS["frequency"], validators=[InputRequired(NO_NUMBER), seconds_between(*FREQUENCY)])
    handover = NumberField(LABELS["handover"], validators=[InputRequired(NO_NUMBER), seconds_between(*HANDOVER)])
    disabled = BooleanField(LABELS["disabled"])
    show_cpus = BooleanField(LABELS["show_cpus"])
    show_memory = BooleanField(LABELS["show_memory"])
    show_disk = BooleanField(LABELS["show_disk"])
    show_network = BooleanField(LABELS["show_network"])
    show_temperatures = BooleanField(LABELS["show_temperatures"])
    show_system = BooleanField(LABELS["show_system"])
    notes = TextAreaField(LABELS["notes"], validators=[Length(max=NOTES_MAX)])
    submit = SubmitField("Save and apply")

    @property
    def first_wrong(self) -> str:
        """The name of the first field with an error; "" for none."""
        return next((field.name for field in self if field.errors), "")

    @property
    def switches(self) -> list[Any]:
        """The fields that switch groups of metrics on and off."""
        return [self[name] for name in SWITCHES]

    def values(self) -> dict[str, Any]:
        """Return what was entered."""
        return {name: self[name].data for name in (*_TEXTS, "frequency", "handover", "disabled", *SWITCHES)}


_TEXTS = ("name", "labels", "notes")


def settings_of(host: Host) -> SettingsForm:
    """Return the form to edit ``host`` with; on a POST it has what was sent."""
    return SettingsForm(obj=host)
