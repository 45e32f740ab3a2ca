"""The site's front door."""

from __future__ import annotations

from flask import render_template

from .extensions import db
from .polls import service as polls

NEWEST = 6


def home() -> str:
    """``home.html`` (questions: snapshots of the newest open ones, as anybody may see them)."""
    return render_template("home.html", questions=polls.list_snapshots(db.session(), limit=NEWEST, only_open=True))
