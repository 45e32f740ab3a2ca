"""The site's home page."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue


def home() -> str:
    """Show ``home.html``."""
    return render_template("home.html")


def favicon() -> ResponseReturnValue:
    """Redirect browsers that ask for an icon without reading a page."""
    return redirect(url_for("static", filename="img/icon.svg"), 301)
