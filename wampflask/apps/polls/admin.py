"""Questions, choices and votes in the admin. The models enforce the rules; open pages are updated at once."""

from __future__ import annotations

from flask_admin.model.form import InlineFormAdmin
from flask_sqlalchemy import SQLAlchemy

from wampflask.apps.admin_views import ReadOnlyView, SiteModelView

from .forms import KINDS, VISIBILITIES
from .models import Choice, Question, State, Vote

STATES = {State.OPEN.value: "Open for voting", State.CLOSED.value: "Closed"}


class InlineChoice(InlineFormAdmin):  # type: ignore[misc]
    """Choices on their question's page."""

    form_columns = ("id", "label", "position")


class QuestionView(SiteModelView):
    """Questions with their choices."""

    column_list = ("id", "text", "kind", "state", "visibility", "may_change", "voters", "code", "created_at")
    column_searchable_list = ("text", "code")
    column_filters = ("kind", "state", "visibility", "may_change", "voters")
    column_default_sort = ("id", True)
    form_columns = ("text", "kind", "state", "visibility", "may_change")
    form_args = {  # noqa: RUF012 - Flask-Admin's way of declaring
        "kind": {"choices": KINDS, "label": "How many answers can people choose?"},
        "state": {"choices": STATES},
        "visibility": {"choices": VISIBILITIES, "label": "When are results shown?"},
    }
    inline_models = (InlineChoice(Choice),)


class ChoiceView(SiteModelView):
    """Choices. A question keeps at least two, and those that have votes."""

    column_list = ("question", "label", "position", "votes")
    column_searchable_list = ("label",)
    form_columns = ("question", "label", "position")


class VoteView(ReadOnlyView):
    """Who voted."""

    column_list = ("question", "voter", "picks", "created_at")
    column_searchable_list = ("voter",)
    column_default_sort = ("id", True)


def poll_views(db: SQLAlchemy) -> list[SiteModelView]:
    """Return the pages of this feature."""
    return [
        QuestionView(Question, db, name="Questions", category="Polls", endpoint="questions"),
        ChoiceView(Choice, db, name="Choices", category="Polls", endpoint="choices"),
        VoteView(Vote, db, name="Votes", category="Polls", endpoint="votes"),
    ]
