"""Headers of every page: no inline script but the import map, no framing, connections to the site's own router only.

Private pages are not cached.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from wampflask.apps.extensions import wamp
from wampflask.tickets import issuer_of

ADMIN_PATH = "/admin/"
ACCOUNTS = "security"
"""Flask-Security's blueprint."""


def init_app(app: Flask) -> None:
    """Add the headers to every response."""
    app.after_request(_add)


def nonce() -> str:
    """Return the current request's nonce, which lets Flask-Admin's scripts run."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def mark_private() -> None:
    """Declare the current request's response to be for this person alone."""
    g.is_private = True


def no_store(response: Response) -> Response:
    """Return the response, marked as one that no cache may keep."""
    response.headers["Cache-Control"] = "no-store"
    return response


def _add(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", _policy())
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if response.mimetype == "text/html":
        response.vary.add("Cookie")  # the theme that it was written in
    headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
    if g.get("is_private") or request.blueprint == ACCOUNTS:
        headers["Cache-Control"] = "private, no-store"
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response


def _policy() -> str:
    rules = {
        "default-src": "'self'",
        "connect-src": f"'self' {_router_origin()}",
        "script-src": f"'self' {wamp.csp_hash}",
        "img-src": "'self' data:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    if request.path.startswith(ADMIN_PATH):
        # Flask-Admin's lists have inline onclick handlers and styles; its scripts carry the nonce.
        rules["script-src"] += f" 'nonce-{nonce()}'"
        rules["script-src-attr"] = "'unsafe-inline'"
        rules["style-src"] = "'self' 'unsafe-inline'"
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _router_origin() -> str:
    parts = urlsplit(issuer_of().url())
    return f"{parts.scheme}://{parts.netloc}"
