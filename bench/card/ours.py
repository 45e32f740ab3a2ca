"""The shop with wampflask."""

from __future__ import annotations

import os
import signal
from typing import Any

from flask import render_template_string
from sqlalchemy import event
from sqlalchemy.orm import Session

from wampflask import WAMP

from .shop import Item, db, make_app, now, sell, sold

wamp = WAMP()


@wamp.fragment("card.html", allow="everyone")
def card() -> dict[str, Any]:
    return {"item": db.session.get(Item, 1)}


app = make_app()
app.config.update({name: value for name, value in os.environ.items() if name.startswith("WAMP_")})
wamp.init_app(app)


@app.get("/")
def page() -> str:
    return render_template_string("{{ fragment('card') }}")


@app.post("/sell")
def buy() -> dict[str, Any]:
    left = sell()
    moment = now()
    card.changed()
    return sold(left, moment)


@app.post("/die")
def die() -> str:
    """Sell, and be killed before anything is published."""
    event.listen(Session, "after_commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    card.changed()
    sell()
    return "It lives."


@app.get("/counters")
def counters() -> dict[str, Any]:
    status = wamp.status
    return {"pid": os.getpid(), "state": status.state.value, "reads": status.counters.get("live_read", 0)}
