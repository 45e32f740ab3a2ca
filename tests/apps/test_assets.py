"""What pages load: bundles where there is a build of these sources, single files where there is none."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.apps.conftest import make
from wampflask.apps.assets import BUILT, SOURCES, areas, build_in
from wampflask.apps.paths import resource
from wampflask.in_memory import in_memory

STATIC = resource("static")
TEMPLATES = resource("templates")
LOADED = re.compile(r'<(?:link rel="(?:stylesheet|preload|icon)"|script)[^>]*?(?:href|src)="([^"]+)"')
PAGES = ("/", "/polls/", "/login", "/chat/", "/demo/", "/tables/", "/player/")


def loaded(instance: Path, bundles: str) -> dict[str, list[tuple[str, int, str]]]:
    """What each page loads: path, status and Cache-Control."""
    app = make(instance, WAMPFLASK_BUNDLES=bundles)
    found: dict[str, list[tuple[str, int, str]]] = {}
    with in_memory(app):
        client = app.test_client()
        for page in PAGES:
            found[page] = []
            for path in LOADED.findall(client.get(page, follow_redirects=True).text):
                with client.get(path) as answer:
                    found[page].append((path, answer.status_code, answer.headers.get("Cache-Control", "")))
    return found


def test_there_is_a_build_of_these_sources() -> None:
    assert build_in(STATIC), "'make setup' builds it, or: npm run assets"


def test_pages_load_hashed_files_that_browsers_keep(instance: Path) -> None:
    for page, files in loaded(instance, "1").items():
        paths = [path for path, _, _ in files]
        assert all(status == 200 and "immutable" in kept for _, status, kept in files), (page, files)
        assert len([path for path in paths if path.endswith(".css")]) in (1, 2), (page, "2: a bound table's")
        assert len([path for path in paths if path.endswith(".js")]) in (2, 3), (page, paths)


def test_without_a_build_pages_load_single_files(instance: Path) -> None:
    for page, files in loaded(instance, "0").items():
        paths = [path for path, status, _ in files if status == 200]
        assert "/static/js/app.js" in paths, page
        assert "/static/css/tokens.css" in paths, page
        assert [path for path in paths if f"/{BUILT}/" in path] == []
        assert len(paths) == len(files), page


def test_the_admin_loads_the_same_either_way(instance: Path) -> None:
    declared = areas()["admin"]
    app = make(instance, WAMPFLASK_BUNDLES="0")
    for name in [*declared["frame"], *declared["scripts"], *declared["single"]]:
        with app.test_client().get(f"/admin/static/{name}") as answer:
            assert answer.status_code == 200, name


def test_a_build_older_than_its_sources_is_not_used(tmp_path: Path) -> None:
    for name in (*SOURCES, BUILT):
        place = STATIC / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, tmp_path / name)
    assert build_in(tmp_path)
    (tmp_path / "css" / "base.css").write_text("body { color: red }")
    build_in.cache_clear()
    assert build_in(tmp_path) is None


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_bundles_are_sent_compressed(instance: Path, encoding: str) -> None:
    app = make(instance)
    build = build_in(STATIC)
    assert build
    for path in (f"/static/{BUILT}/{build.files['polls.js']}", f"/static/{BUILT}/{build.files['site.css']}"):
        with app.test_client().get(path, headers={"Accept-Encoding": encoding}) as answer:
            assert answer.headers["Content-Encoding"] == encoding
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Cookie" not in answer.headers["Vary"], "another cookie doesn't make it another file"


def test_the_client_is_sent_compressed_and_without_cookies(instance: Path) -> None:
    app = make(instance)
    with in_memory(app):
        client = app.test_client()
        [path] = re.findall(r'src="(/wamp/client-[^"]+)"', client.get("/").text)
        with client.get(path, headers={"Accept-Encoding": "br"}) as answer:
            assert answer.headers["Content-Encoding"] == "br"
            assert "immutable" in answer.headers["Cache-Control"]
            assert "Cookie" not in answer.headers["Vary"]


@pytest.mark.parametrize(
    "template", sorted(TEMPLATES.glob("*/*.html")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_a_pages_behaviours_are_in_its_areas_bundle(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    named = {name for found in re.findall(r'data-behaviour="([^"]+)"', text) for name in found.split()}
    folders = {name.partition("/")[0] for name in named if "/" in name}
    assert folders <= {template.parent.name}
    declared = re.findall(r'\{% set area = "(\w+)" %\}', text)
    for area in declared if folders else []:
        assert areas()["areas"][area]["behaviours"] in folders


def test_the_theme_that_was_chosen_is_in_the_page(instance: Path) -> None:
    app = make(instance)
    with in_memory(app):
        for chosen, written in (
            ("dark", ' data-theme="dark"'),
            ("light", ' data-theme="light"'),
            ('"><b', ""),
            ("", ""),
        ):
            client = app.test_client()
            client.set_cookie("wampflask_theme", chosen)
            answer = client.get("/")
            assert f'<html lang="en"{written}>' in answer.text
            assert "Cookie" in answer.headers["Vary"]
