"""Forms; their CSRF tokens come with FlaskForm."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import BooleanField, FieldList, Form, FormField, HiddenField, RadioField, StringField, SubmitField
from wtforms.validators import DataRequired, Length, Optional, Regexp, ValidationError

from .models import CHOICES_MAX, CHOICES_MIN, LABEL_MAX, TEXT_MAX, Kind, Question, Visibility
from .service import ChoiceDraft, QuestionDraft

KINDS = {Kind.SINGLE.value: "One answer", Kind.MULTIPLE.value: "Several answers"}
VISIBILITIES = {
    Visibility.ALWAYS.value: "Always",
    Visibility.AFTER_VOTE.value: "After voting",
    Visibility.AFTER_CLOSE.value: "After voting is closed",
}
SPARE_ROWS = 2  # empty rows for more choices, for pages without JavaScript


class ActionForm(FlaskForm):  # type: ignore[misc]
    """A button that does one thing; ``confirm`` is what the confirming page sends."""

    confirm = HiddenField()


class VoteForm(FlaskForm):  # type: ignore[misc]
    """A vote. The inputs are written by the template: radio or checkbox, ``name="choice"``, value the choice's id."""

    submit = SubmitField("Vote")


class ChoiceForm(Form):
    """One row of the choices; an empty label means no choice. ``choice_id`` is empty for a new one."""

    choice_id = HiddenField(validators=[Optional(), Regexp(r"^[0-9]{1,9}$", message="Reload the page and try again.")])
    label = StringField("Choice", validators=[Length(max=LABEL_MAX)])


def _trimmed(value: str | None) -> str | None:
    return value.strip() if value else value


def _at_least_two(_form: FlaskForm, field: FieldList[FormField[ChoiceForm]]) -> None:
    """Show the error at the row that has to change."""
    empty = [row for row in field.entries if not _label(row)]
    if len(field.entries) - len(empty) < CHOICES_MIN:
        _refuse(empty[0], "Add at least two choices.")
    seen: set[str] = set()
    for row in field.entries:
        label = _label(row).casefold()
        if label and label in seen:
            _refuse(row, "Two choices have the same text.")
        seen.add(label)


def _label(row: FormField[ChoiceForm]) -> str:
    return (row.form.label.data or "").strip()


def _refuse(row: FormField[ChoiceForm], message: str) -> None:
    row.form.label.errors = [*row.form.label.errors, message]
    raise ValidationError(message)


class QuestionForm(FlaskForm):  # type: ignore[misc]
    """A question and its choices in their order: inputs ``choices-<n>-label`` and ``choices-<n>-choice_id``."""

    text = StringField("Question", filters=[_trimmed], validators=[DataRequired(), Length(max=TEXT_MAX)])
    kind = RadioField("How many answers can people choose?", choices=KINDS, default=Kind.SINGLE.value)
    visibility = RadioField("When are results shown?", choices=VISIBILITIES, default=Visibility.ALWAYS.value)
    may_change = BooleanField("People can change their vote", default=True)
    choices = FieldList(FormField(ChoiceForm), validators=[_at_least_two], min_entries=4, max_entries=CHOICES_MAX)
    submit = SubmitField("Save")

    @classmethod
    def of(cls, question: Question) -> QuestionForm:
        """Return the form to edit ``question`` with; on a POST it has what was sent."""
        rows = [{"choice_id": str(choice.id), "label": choice.label} for choice in question.choices]
        rows += [{"choice_id": "", "label": ""}] * min(SPARE_ROWS, CHOICES_MAX - len(rows))
        form: QuestionForm = cls(
            data={
                "text": question.text,
                "kind": question.kind.value,
                "visibility": question.visibility.value,
                "may_change": question.may_change,
                "choices": rows,
            }
        )
        return form

    def draft(self) -> QuestionDraft:
        """Return what was entered, once it is validated."""
        return QuestionDraft(
            text=self.text.data or "",
            kind=Kind(self.kind.data),
            visibility=Visibility(self.visibility.data),
            may_change=bool(self.may_change.data),
            choices=[_choice_draft(row.form) for row in self.choices.entries if _label(row)],
        )


def _choice_draft(row: ChoiceForm) -> ChoiceDraft:
    return ChoiceDraft(row.label.data or "", int(row.choice_id.data) if row.choice_id.data else None)
