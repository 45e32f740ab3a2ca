"""The shop with Turbo-Flask, as its documentation has it: ``push()`` what was rendered to every page."""

from __future__ import annotations

import os
from typing import Any

from flask import render_template, render_template_string
from turbo_flask import Turbo

from .shop import Item, db, make_app, now, sell, sold

app = make_app()
turbo = Turbo(app)


@app.get("/")
def page() -> str:
    return render_template_string("{{ turbo() }}{% include 'card.html' %}", item=db.session.get(Item, 1))


@app.post("/sell")
def buy() -> dict[str, Any]:
    left = sell()
    moment = now()
    if turbo.can_push():
        turbo.push(turbo.replace(render_template("card.html", item=db.session.get(Item, 1)), target="card"))
    return sold(left, moment)


@app.get("/counters")
def counters() -> dict[str, Any]:
    pages = sum(map(len, list(turbo.clients.values())))
    return {"pid": os.getpid(), "state": "ready", "pages": pages}
