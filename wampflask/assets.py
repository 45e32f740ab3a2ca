"""The library's browser client as pages load it: files named by what is in them, kept by browsers for good.

``{{ wamp_head() }}`` in a page's ``<head>`` is all that a page needs: then ``import { live } from "wampflask"`` works
in its own modules, and ``<live-fragment>`` and ``<wamp-status>`` without any. What bound tables need besides is a
module and a style sheet of their own, which only pages with a table load. Everything is safe in any thread.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Self

from flask import Blueprint, Flask, Response, abort, current_app, g, request, url_for
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

FOLDER = Path(__file__).with_name("browser")
BUNDLE = FOLDER / "dist" / "wampflask.js"
TABLE = FOLDER / "dist" / "table.js"
TABLE_STYLE = FOLDER / "table" / "table.css"
FOR_GOOD = "public, max-age=31536000, immutable"
NAME = "wampflask"
"""What modules import."""
TABLE_NAME = "wampflask/table"
JAVASCRIPT = "text/javascript"

_EXTENSION = "wampflask_client"

blueprint = Blueprint("wamp_client", __name__)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A file that pages load: ``{stem}-{digest}.{kind}`` in URLs."""

    stem: str
    kind: str
    plain: bytes
    compressed: bytes
    digest: str

    @classmethod
    def of(cls, name: str, plain: bytes) -> Self:
        """Return the file with this content; ``name`` is such as ``client.js``."""
        stem, _, kind = name.partition(".")
        return cls(stem, kind, plain, gzip.compress(plain, mtime=0), sha256(plain).hexdigest()[:16])

    @property
    def name(self) -> str:
        """The file's name in URLs."""
        return f"{self.stem}-{self.digest}.{self.kind}"


@cache
def bundle() -> Bundle:
    """Return the client as it was built.

    :raises FileNotFoundError: after an incomplete installation.
    """
    return Bundle.of("client.js", BUNDLE.read_bytes())


@cache
def table() -> Bundle:
    """Return the module of bound tables. It imports the client from beside itself, so that a page needs no import map.

    :raises FileNotFoundError: after an incomplete installation.
    """
    imported = f'from"{NAME}"'.encode()
    return Bundle.of("table.js", TABLE.read_bytes().replace(imported, f'from"./{bundle().name}"'.encode()))


@cache
def table_style() -> Bundle:
    """Return the style sheet of bound tables.

    :raises FileNotFoundError: after an incomplete installation.
    """
    return Bundle.of("table.css", TABLE_STYLE.read_bytes())


def init_app(app: Flask, *, client_url: str = "") -> None:
    """Serve the client to the pages of ``app``, and give its templates ``wamp_head()``.

    :param client_url: the address of the folder from which pages load it instead, such as a CDN's.
    """
    app.extensions[_EXTENSION] = client_url.rstrip("/")
    app.register_blueprint(blueprint)
    app.add_template_global(wamp_head)


def url(wanted: Bundle) -> str:
    """Return where the pages of the current request load a file from."""
    elsewhere = current_app.extensions[_EXTENSION]
    if elsewhere:
        return f"{elsewhere}/{wanted.name}"
    return url_for("wamp_client.file", stem=wanted.stem, digest=wanted.digest, kind=wanted.kind)


def import_map() -> Markup:
    """Return the import map that gives the client's modules their names, as it stands in the page."""
    return htmlsafe_json_dumps({"imports": {NAME: url(bundle()), TABLE_NAME: url(table())}}, separators=(",", ":"))


def csp_hash() -> str:
    """Return the import map's hash for ``script-src``, with its quotes: for policies without nonces."""
    return f"'sha256-{b64encode(sha256(import_map().encode()).digest()).decode()}'"


def wamp_head(*, csrf: bool = True, named: bool = True) -> Markup:
    """Return what a page's ``<head>`` needs: where tickets are, the form token, the client and its name for imports.

    Scripts carry the request's nonce where there is one: ``csp_nonce()`` of the templates, as Flask-Talisman has it, or
    ``g.csp_nonce``. A policy without nonces allows the import map by :attr:`wampflask.WAMP.csp_hash`.

    :param csrf: False leaves out Flask-WTF's token, for a page that is the same for everybody and has no live forms.
    :param named: False leaves out the import map, the only inline script; modules then import ``/wamp/client.js`` and
        ``/wamp/table.js``.
    """
    parts = [Markup('<meta name="wamp-ticket-url" content="{}">').format(url_for("wamp.ticket"))]
    if csrf and "csrf" in current_app.extensions:
        parts.append(Markup('<meta name="csrf-token" content="{}">').format(_global("csrf_token")))
    if named:
        parts.append(Markup('<script type="importmap"{}>{}</script>').format(_nonce(), import_map()))
    parts.append(script(bundle()))
    return Markup("\n").join(parts)


def table_head() -> Markup:
    """Return what a page with a bound table loads besides; it may stand anywhere in the page, and more than once."""
    return Markup('<link rel="stylesheet"{} href="{}">{}').format(_nonce(), url(table_style()), script(table()))


def script(module: Bundle) -> Markup:
    """Return the tag that loads a module."""
    return Markup('<script type="module"{} src="{}"></script>').format(_nonce(), url(module))


def _nonce() -> Markup:
    """Return the attribute that lets a script of this request run; empty where there is no nonce."""
    nonce = _global("csp_nonce") or str(g.get("csp_nonce", ""))
    return Markup(' nonce="{}"').format(nonce) if nonce else Markup()


def _global(name: str) -> str:
    """Return what a function that templates know returns; empty where there is none."""
    function = current_app.jinja_env.globals.get(name)
    return str(function()) if callable(function) else ""


_FILES = {"client.js": bundle, "table.js": table, "table.css": table_style}


@blueprint.get("/wamp/<any(client, table):stem>-<digest>.<any(js, css):kind>")
def file(stem: str, digest: str, kind: str) -> Response:
    """Serve a file. A page from before an update gets the present one, and keeps it only until it looks again."""
    found = _FILES.get(f"{stem}.{kind}")
    if found is None:
        abort(HTTPStatus.NOT_FOUND)
    wanted = found()
    age = FOR_GOOD if wanted.digest == digest else "no-cache"
    return _answer(wanted.plain, wanted.compressed, age, "text/css" if kind == "css" else JAVASCRIPT)


@blueprint.get("/wamp/<any(client, table):stem>.js")
def stable(stem: str) -> Response:
    """Serve the same module under a name that stays, for pages without an import map."""
    code = f'export * from "{url(_FILES[f"{stem}.js"]())}";\n'.encode()
    return _answer(code, None, "no-cache", JAVASCRIPT)


def _answer(plain: bytes, compressed: bytes | None, cache_control: str, mimetype: str) -> Response:
    response = Response(plain, mimetype=mimetype)
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
