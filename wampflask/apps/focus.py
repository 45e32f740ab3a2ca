"""Puts the focus of a page that shows a refused form on its first error, with and without JavaScript."""

from __future__ import annotations

from flask import Flask, g


def init_app(app: Flask) -> None:
    """Give templates ``is_first_error()``, which ``macros/forms.html`` turns into ``autofocus``."""
    app.add_template_global(is_first_error)


def is_first_error() -> bool:
    """Return whether this is the first error that the page shows: a document may have one ``autofocus``."""
    first = not g.get("has_error", False)
    g.has_error = True
    return first
