"""Forms of the operator page; their CSRF tokens come with FlaskForm."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask_wtf import FlaskForm
from wtforms import HiddenField, IntegerField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from wampflask import InvalidPayload, InvalidURI, payload, uris
from wampflask.tail import check_topic

REASON_MAX = 200
JSON_MAX = 20_000
MINUTES_MAX = 60 * 24 * 365


class EndForm(FlaskForm):  # type: ignore[misc]
    """Whose sessions are to end: exactly one of the three."""

    session = IntegerField(validators=[Optional(), NumberRange(1, 2**53)])
    authid = StringField(validators=[Length(max=120)])
    role = StringField(validators=[Length(max=32)])
    reason = StringField(validators=[Length(max=REASON_MAX)])
    confirm = HiddenField()


class BlockForm(FlaskForm):  # type: ignore[misc]
    """Who is to be blocked, and for how long."""

    authid = StringField(
        "Who",
        validators=[InputRequired("Enter an authid, as the list of sessions shows it."), Length(max=120)],
        description="As the list of sessions shows it: user:17, visitor:9f…, agent:web1.",
    )
    minutes = IntegerField(
        "Minutes",
        default=60,
        validators=[
            InputRequired("Enter a whole number of minutes."),
            NumberRange(1, MINUTES_MAX, message=f"Enter 1 to {MINUTES_MAX:,} minutes."),
        ],
    )
    reason = StringField("Reason (their page shows it)", validators=[Length(max=REASON_MAX)])
    confirm = HiddenField()


class WorkerForm(FlaskForm):  # type: ignore[misc]
    """A worker."""

    worker = HiddenField(validators=[InputRequired()])
    confirm = HiddenField()


class JobForm(FlaskForm):  # type: ignore[misc]
    """A job."""

    name = HiddenField(validators=[InputRequired()])


class TaskForm(FlaskForm):  # type: ignore[misc]
    """A task."""

    task = HiddenField(validators=[InputRequired()])
    confirm = HiddenField()


class TryForm(FlaskForm):  # type: ignore[misc]
    """A publication or call by hand."""

    verb = RadioField("Do", choices={"call": "Call", "publish": "Publish"}, default="call")
    uri = StringField("URI", validators=[InputRequired("Enter a URI, such as polls.question.results.")])
    args = TextAreaField("Arguments (a JSON array)", default="[]", validators=[Length(max=JSON_MAX)])
    kwargs = TextAreaField("Keywords (a JSON object)", default="{}", validators=[Length(max=JSON_MAX)])

    def validate_uri(self, field: Any) -> None:
        """Refuse what is not the app's own: the router answers with people's cookies, and workers obey."""
        try:
            uris.check_own((field.data or "").strip())
        except InvalidURI as error:
            raise ValidationError(f"{error}.") from None

    def validate_args(self, field: Any) -> None:
        """Read the arguments."""
        self.read_args = _read(field.data, list, 'an array, such as [1, "two"]')

    def validate_kwargs(self, field: Any) -> None:
        """Read the keywords."""
        self.read_kwargs = _read(field.data, dict, 'an object, such as {"one": 1}')


class TailForm(FlaskForm):  # type: ignore[misc]
    """A topic to follow."""

    topic = StringField("Topic", validators=[InputRequired("Enter a topic, such as polls.question.update.1.")])
    match = RadioField(
        "Which",
        choices={"exact": "This topic", "prefix": "All that begin so", "wildcard": "Any word between two dots"},
        default="exact",
    )

    def validate_topic(self, field: Any) -> None:
        """Refuse what covers more than the app's own topics."""
        try:
            check_topic((field.data or "").strip(), self.match.data)
        except InvalidURI as error:
            raise ValidationError(f"{str(error).rstrip('.')}.") from None


def _read(text: str | None, kind: type, what: str) -> Any:
    def refuse(name: str) -> NoReturn:
        raise ValidationError(f"{name} is not JSON.")

    try:
        found = json.loads((text or "").strip() or json.dumps(kind()), parse_constant=refuse)
        found = payload.clean_value(found)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f" Line {error.lineno}, column {error.colno}." if isinstance(error, json.JSONDecodeError) else ""
        raise ValidationError(f"This is not JSON.{where}") from None
    except InvalidPayload as error:
        raise ValidationError(str(error)) from None
    if not isinstance(found, kind):
        raise ValidationError(f"Enter {what}.")
    return found
