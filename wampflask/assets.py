"""The library's browser client as pages load it: one file, named by what is in it, kept by browsers for good.

``{{ wamp_head() }}`` in a page's ``<head>`` is all that a page needs: then ``import { live } from "wampflask"`` works
in its own modules, and ``<live-fragment>`` and ``<wamp-status>`` without any. Everything is safe in any thread.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, g, request, url_for
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

BUNDLE = Path(__file__).with_name("browser") / "dist" / "wampflask.js"
FOR_GOOD = "public, max-age=31536000, immutable"
NAME = "wampflask"
"""What modules import."""

_EXTENSION = "wampflask_client"

blueprint = Blueprint("wamp_client", __name__)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The client's file. ``digest`` is its name in URLs."""

    plain: bytes
    compressed: bytes
    digest: str


@cache
def bundle() -> Bundle:
    """The client as it was built.

    :raises FileNotFoundError: after an incomplete installation.
    """
    plain = BUNDLE.read_bytes()
    return Bundle(plain, gzip.compress(plain, mtime=0), sha256(plain).hexdigest()[:16])


def init_app(app: Flask, *, client_url: str = "") -> None:
    """Serve the client to the pages of ``app``, and give its templates ``wamp_head()``.

    :param client_url: the address of the folder from which pages load it instead, such as a CDN's.
    """
    app.extensions[_EXTENSION] = client_url.rstrip("/")
    app.register_blueprint(blueprint)
    app.add_template_global(wamp_head)


def url() -> str:
    """Where the pages of the current request load the client from."""
    elsewhere = current_app.extensions[_EXTENSION]
    if elsewhere:
        return f"{elsewhere}/client-{bundle().digest}.js"
    return url_for("wamp_client.script", digest=bundle().digest)


def import_map() -> Markup:
    """The import map that gives the client its name, as it stands in the page."""
    return htmlsafe_json_dumps({"imports": {NAME: url()}}, separators=(",", ":"))


def csp_hash() -> str:
    """The import map's hash for ``script-src``, with the quotes: for a policy without inline scripts and nonces."""
    return f"'sha256-{b64encode(sha256(import_map().encode()).digest()).decode()}'"


def wamp_head(*, csrf: bool = True, named: bool = True) -> Markup:
    """What a page's ``<head>`` needs: where tickets are, the form token, the client and its name for imports.

    Scripts carry the request's nonce where there is one: ``csp_nonce()`` of the templates, as Flask-Talisman has it, or
    ``g.csp_nonce``. A policy without nonces allows the import map by :attr:`wampflask.WAMP.csp_hash`.

    :param csrf: False leaves out Flask-WTF's token, for a page that is the same for everybody and has no live forms.
    :param named: False leaves out the import map, the only inline script; modules then import ``/wamp/client.js``.
    """
    parts = [Markup('<meta name="wamp-ticket-url" content="{}">').format(url_for("wamp.ticket"))]
    if csrf and "csrf" in current_app.extensions:
        parts.append(Markup('<meta name="csrf-token" content="{}">').format(_global("csrf_token")))
    nonce = _nonce()
    attribute = Markup(' nonce="{}"').format(nonce) if nonce else Markup()
    if named:
        parts.append(Markup('<script type="importmap"{}>{}</script>').format(attribute, import_map()))
    parts.append(Markup('<script type="module"{} src="{}"></script>').format(attribute, url()))
    return Markup("\n").join(parts)


def _nonce() -> str:
    return _global("csp_nonce") or str(g.get("csp_nonce", ""))


def _global(name: str) -> str:
    """What a function that templates know returns; empty where there is none."""
    function = current_app.jinja_env.globals.get(name)
    return str(function()) if callable(function) else ""


@blueprint.get("/wamp/client-<digest>.js")
def script(digest: str) -> Response:
    """The client. A page from before an update gets the present one, and keeps it only until it looks again."""
    return _javascript(bundle().plain, bundle().compressed, FOR_GOOD if digest == bundle().digest else "no-cache")


@blueprint.get("/wamp/client.js")
def stable() -> Response:
    """The same module under a name that stays, for pages without an import map."""
    code = f'export * from "{url()}";\n'.encode()
    return _javascript(code, None, "no-cache")


def _javascript(plain: bytes, compressed: bytes | None, cache_control: str) -> Response:
    response = Response(plain, mimetype="text/javascript")
    if compressed and request.accept_encodings.quality("gzip"):
        response.set_data(compressed)
        response.content_encoding = "gzip"
    if compressed:
        response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = cache_control
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Access-Control-Allow-Origin"] = "*"  # it is public, and a module from a CDN is asked for so
    response.add_etag()
    response.make_conditional(request)
    return response
