"""What pages load: bundled files named by what is in them where there is a build, single files where there is none.

``npm run assets`` (``make run`` does it) writes ``static/built/``: a script and a style sheet for each area of
``static/areas.json``, and a manifest. Templates name areas and files: ``{{ styles("chat") }}``,
``{{ scripts("chat") }}``, ``{{ asset("img/icon.svg") }}``. A build older than its sources isn't used: pages are then
right, only slower.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

import flask_admin
from flask import Flask, current_app, request, url_for
from markupsafe import Markup
from whitenoise import WhiteNoise

from .paths import resource

BUILT = "built"
CLIENT = "wamp"
"""The folder of the library's own files in a build, and where pages load them from."""
MANIFEST = "manifest.json"
SOURCES = ("css", "img", "js", "vendor", "areas.json")
"""What bundles are made of, below ``static``."""
FOR_GOOD = 31_536_000
FONTS = ("bricolage", "instrument")
THEMES = ("light", "dark")
THEME_COOKIE = "wampflask_theme"

_KEY = "site_assets"
_NAMED_BY_CONTENT = re.compile(r"-([A-Z0-9]{8}|[0-9a-f]{16})\.\w+$")


@dataclass(frozen=True, slots=True)
class Build:
    """A build: its folder, and for each name that templates use the file in it."""

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    has_admin: bool = False
    """Whether it was made with the Flask-Admin that is installed."""


@cache
def areas() -> dict[str, Any]:
    """Return what ``static/areas.json`` declares."""
    found: dict[str, Any] = json.loads((resource("static") / "areas.json").read_text(encoding="utf-8"))
    return found


def digest_of_sources(static: Path) -> str:
    """Return the digest that a build of these sources has in its manifest."""
    found = sha256()
    places = [static / name for name in SOURCES]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    for name in sorted(file.relative_to(static).as_posix() for file in files if file.is_file()):
        found.update(f"{name}\0".encode() + (static / name).read_bytes())
    return found.hexdigest()


@cache
def build_in(static: Path) -> Build | None:
    """Return the build in the folder ``static``; None where there is none, or its sources have changed since."""
    folder = static / BUILT
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if manifest["sources"] != digest_of_sources(static):
        return None
    return Build(folder, manifest["files"], manifest["flask_admin"] == flask_admin.__version__)


def init_app(app: Flask, *, bundles: bool) -> None:
    """Give templates the helpers, and serve the build, if there is one, before Flask sees the request.

    :param bundles: False has pages load single files although there is a build.
    """
    build = build_in(Path(str(app.static_folder))) if bundles else None
    app.extensions[_KEY] = build
    for helper in (admin_asset, admin_scripts, admin_styles, asset, chosen_theme, fonts, scripts, styles):
        app.add_template_global(helper)
    if build:
        served = WhiteNoise(
            app.wsgi_app,
            root=build.folder,
            prefix=f"{app.static_url_path}/{BUILT}/",
            allow_all_origins=False,
            immutable_file_test=lambda _path, url: bool(_NAMED_BY_CONTENT.search(url)),
            add_headers_function=_add_headers,
        )
        served.add_files(str(build.folder / CLIENT), prefix=f"/{CLIENT}/")
        app.wsgi_app = served  # type: ignore[method-assign]


def build_of(app: Flask) -> Build | None:
    """Return the build that the pages of ``app`` load."""
    found: Build | None = app.extensions[_KEY]
    return found


def asset(name: str) -> str:
    """Return where pages load a file of ``static`` from."""
    return _built(name) or url_for("static", filename=name)


def fonts(priority: str = "low") -> Markup:
    """Return the tags that load the fonts of Latin text at once.

    :param priority: ``low`` has them wait for style and scripts on a slow network; ``high`` has nothing move later.
    """
    tag = Markup('<link rel="preload" href="{}" as="font" type="font/woff2" crossorigin fetchpriority="{}">')
    return Markup("\n").join(tag.format(asset(f"vendor/{font}-latin.woff2"), priority) for font in FONTS)


def styles(area: str) -> Markup:
    """Return the tags that load an area's style sheets."""
    declared = areas()
    if built := _built(f"{area}.css"):
        sheets = [built]
    else:
        names = [*declared["common"], *declared["areas"][area]["styles"]]
        sheets = [url_for("static", filename=_below_static(name)) for name in names]
    return _links(sheets)


def _links(sheets: list[str]) -> Markup:
    return Markup("\n").join(Markup('<link rel="stylesheet" href="{}">').format(sheet) for sheet in sheets)


def _below_static(sheet: str) -> str:
    return f"css/{sheet}.css".replace("css/../", "")


def scripts(area: str) -> Markup:
    """Return the tag that loads the behaviours of an area."""
    bundle = areas()["areas"][area]["behaviours"] or "site"
    return Markup('<script type="module" fetchpriority="high" src="{}"></script>').format(
        _built(f"{bundle}.js") or url_for("static", filename="js/app.js")
    )


def admin_asset(name: str) -> str:
    """Return where the admin's pages load a file of Flask-Admin from."""
    return _built_of_admin(name.rpartition("/")[2]) or url_for("admin.static", filename=name)


def admin_styles() -> Markup:
    """Return the tags that load what every page of the admin looks like, below the site's own colours."""
    built = _built_of_admin("admin_frame.css")
    return _links([built] if built else [*map(admin_asset, areas()["admin"]["frame"]), asset("css/tokens.css")])


def admin_scripts() -> list[str]:
    """Return where the admin's pages load Flask-Admin's libraries from, in this order."""
    built = _built_of_admin("admin_libraries.js")
    return [built] if built else list(map(admin_asset, areas()["admin"]["scripts"]))


def chosen_theme() -> Markup:
    """Return the attribute of ``<html>`` for the theme that the visitor chose; empty where there is no choice."""
    chosen = request.cookies.get(THEME_COOKIE)
    return Markup(' data-theme="{}"').format(chosen) if chosen in THEMES else Markup()


def _built(name: str) -> str:
    """Return the address of a built file; empty where there is none."""
    build = build_of(current_app)
    if build is None or name not in build.files:
        return ""
    return url_for("static", filename=f"{BUILT}/{build.files[name]}")


def _built_of_admin(name: str) -> str:
    build = build_of(current_app)
    return _built(name) if build and build.has_admin else ""


def _add_headers(headers: Headers, _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
