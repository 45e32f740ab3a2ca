"""The site's home page."""

from __future__ import annotations

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from .assets import asset


def home() -> str:
    """Show ``home.html``."""
    return render_template("home.html")


def favicon() -> ResponseReturnValue:
    """Redirect browsers that ask for an icon without reading a page."""
    return redirect(asset("img/icon.svg"), 302)
