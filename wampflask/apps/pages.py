"""The site's front door."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue


def home() -> str:
    """``home.html``."""
    return render_template("home.html")


def favicon() -> ResponseReturnValue:
    """The icon for what asks without reading a page, as browsers do for bare text."""
    return redirect(url_for("static", filename="img/icon.svg"), 301)
