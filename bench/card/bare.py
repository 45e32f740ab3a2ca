"""The shop that notifies no page: as many commits as its view makes, there can be at most."""

from __future__ import annotations

from typing import Any

from .shop import make_app, now, sell, sold

app = make_app()


@app.get("/")
def page() -> str:
    return "A shop"


@app.post("/sell")
def buy() -> dict[str, Any]:
    return sold(sell(), now())
