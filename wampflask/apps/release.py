"""Which release of the pages the workers serve, so that pages of an older one can offer to load the newer.

A page carries the release of the worker that made it. Each worker that becomes ready announces its own: after a deploy
that is the new one, and pages of the old one show a bar. Nothing is loaded by itself: somebody may be typing.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256

from flask import Flask, current_app

from .assets import digest_of_sources
from .extensions import wamp
from .paths import resource

URI = "site.release"
"""Live value ``{"release": text}``."""


@cache
def of_files() -> str:
    """Return a digest of everything that pages are made of."""
    found = sha256(digest_of_sources(resource("static")).encode())
    root = resource("templates")
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        found.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return found.hexdigest()[:16]


def current() -> str:
    """Return this worker's release: ``WAMPFLASK_RELEASE``, or the files' digest."""
    return str(current_app.config["WAMP_RELEASE"])


def init_app(app: Flask) -> None:
    """Let templates and operators know the release. Before the library's ``init_app``, which reads it."""
    app.config.setdefault("WAMP_RELEASE", app.extensions["site"].release or of_files())
    app.add_template_global(current, "release")


@wamp.value(URI, allow="everyone")
def release() -> dict[str, str]:
    """Return which release there is now."""
    return {"release": current()}


@wamp.on("ready")
def announce() -> None:
    """Have pages compare."""
    wamp.changed(URI)
