"""The first things to try: a page calls Python, a view pings pages, a page calls other pages.

One Python file, one of HTML and one of JavaScript a demo, forty lines together, which its page shows. So a demo keeps
its procedure beside its view, where the other features have ``procedures.py`` and ``views.py``.
"""

from __future__ import annotations

from flask import Flask

from wampflask.apps.extensions import wamp

from .contract import PERMISSIONS

__all__ = ["init_app"]

wamp.permit(*PERMISSIONS)


def init_app(app: Flask) -> None:
    """Register pages and procedures."""
    from . import address, bam_demo, ping_demo, uuid_demo
    from .page import blueprint

    del address, bam_demo, ping_demo, uuid_demo  # imported for what they declare
    app.register_blueprint(blueprint)
