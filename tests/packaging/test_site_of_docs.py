"""The documentation site: built with warnings as errors, with every page in its menu, pictures, and a search."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``make docs`` builds it."""
    target = re.search(r"-m (sphinx .*) build/docs$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert target is not None
    out = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", *target[1].split(), "-d", str(out / "cache"), str(out / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return out / "site"


def test_every_page_is_in_the_menu_and_can_be_searched(site: Path) -> None:
    index = (site / "docs" / "index.html").read_text(encoding="utf-8")
    pages = [*(f"{file.stem}.html" for file in (ROOT / "docs").glob("*.md")), "../SECURITY.html"]
    menu = set(re.findall(r'<a class="[^"]*reference internal" href="([^"#]+)"', index))
    assert set(pages) - {"index.html"} <= menu
    searched = (site / "searchindex.js").read_text(encoding="utf-8")
    names = set(json.loads(searched.removeprefix("Search.setIndex(").rstrip(")"))["docnames"])
    assert {"docs/start", "docs/api", "SECURITY"} <= names
    assert (site / "search.html").is_file()


def test_links_lead_to_files_of_the_site(site: Path) -> None:
    """Also those to files of the checkout, which the site brings as downloads."""
    broken = [
        (page.name, link)
        for page in site.rglob("*.html")
        for link in re.findall(r'(?:href|src)="([^"#?]+)[^"]*"', page.read_text(encoding="utf-8"))
        if ":" not in link and not link.startswith("//") and not (page.parent / link).exists()
    ]
    assert broken == []


def test_the_sites_own_address_leads_to_the_index(site: Path) -> None:
    assert "url=docs/index.html" in (site / "index.html").read_text(encoding="utf-8")
    assert "shop-light.png" in {picture.name for picture in (site / "_images").iterdir()}
