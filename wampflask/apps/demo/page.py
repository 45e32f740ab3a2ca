"""A demo's page: the demo and its source files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, render_template

from wampflask.apps.paths import resource

blueprint = Blueprint("demo", __name__)

PACKAGE = Path(__file__).resolve().parent


class Source(NamedTuple):
    """A file of a demo: its path in the project, and what is in it."""

    path: str
    text: str


def sources(name: str) -> list[Source]:
    """Return the source files of the demo ``name``."""
    files = {
        f"wampflask/apps/demo/{name}_demo.py": PACKAGE / f"{name}_demo.py",
        f"templates/demo/_{name}.html": resource("templates") / "demo" / f"_{name}.html",
        f"static/js/demo/{name}.js": resource("static") / "js" / "demo" / f"{name}.js",
    }
    return [Source(path, file.read_text(encoding="utf-8")) for path, file in files.items()]


def demo_page(name: str) -> str:
    """Show ``demo/<name>.html`` (sources: the demo's files)."""
    return render_template(f"demo/{name}.html", sources=sources(name))
