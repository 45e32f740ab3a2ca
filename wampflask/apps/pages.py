"""The site's front door."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from .extensions import db
from .polls import service as polls

NEWEST = 6


def home() -> str:
    """``home.html`` (questions: snapshots of the newest open ones, as anybody may see them)."""
    return render_template("home.html", questions=polls.list_snapshots(db.session(), limit=NEWEST, only_open=True))


def favicon() -> ResponseReturnValue:
    """The icon for what asks without reading a page, as browsers do for bare text."""
    return redirect(url_for("static", filename="img/icon.svg"), 301)
