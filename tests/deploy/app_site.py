"""The site, with a page that says what it knows of a request."""

from __future__ import annotations

from flask import request

from wampflask.apps import create_app

app = create_app()


@app.get("/seen")
def seen() -> dict[str, str | bool]:
    return {"address": request.remote_addr or "", "root": request.url_root, "secure": request.is_secure}
