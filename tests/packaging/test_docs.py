"""The documents, held against the code: keys, commands, links, examples."""

from __future__ import annotations

import re
import subprocess
from dataclasses import MISSING, fields
from pathlib import Path
from urllib.parse import unquote

import pytest

from wampflask.apps import config as site_config
from wampflask.config import Config, key_of
from wampflask.status import COUNTERS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.*?) \|", re.MULTILINE)
LINK = re.compile(r"""!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)="([^"]+)\"""")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def documented() -> dict[str, str]:
    """Key -> the text of its default, from docs/configuration.md."""
    return dict(ROW.findall((ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")))


def test_every_key_of_the_library_is_documented_with_its_default() -> None:
    table = documented()
    for item in fields(Config):
        key = key_of(item.name)
        assert key in table
        if isinstance(item.default, str) and item.default:
            assert table[key] == item.default, key
        elif item.default not in (MISSING, ""):
            assert table[key] == f"{item.default:g}".replace("e+", "e") or table[key] == str(item.default), key


def test_every_key_of_the_site_is_documented_with_its_default() -> None:
    table = documented()
    for key, default in site_config.KEYS.items():
        assert key in table
        assert table[key].startswith(default or "empty"), key


def test_every_counter_is_documented() -> None:
    table = (
        (ROOT / "docs" / "limits.md")
        .read_text(encoding="utf-8")
        .partition("| counter | counts |")[2]
        .partition("\n\n")[0]
    )
    assert set(re.findall(r"`([a-z_]+)`", table)) - {"publish_latest"} == set(COUNTERS)


def test_no_key_is_documented_that_does_not_exist() -> None:
    known = {key_of(item.name) for item in fields(Config)} | set(site_config.KEYS) | set(site_config._OF_OTHERS)
    ours = {key for key in documented() if key.startswith(("WAMP_", "WAMPFLASK_"))}
    assert ours == known


def heading_anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    broken = []
    for found in LINK.finditer(page.read_text(encoding="utf-8")):
        link = found[1] or found[2]
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in heading_anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_command_in_the_documents_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_that_is_quoted_from_a_file_is_still_there(page: Path) -> None:
    for language, code in FENCE.findall(page.read_text(encoding="utf-8")):
        named = re.match(r"# (examples/\S+)\n", code)
        if language and named:
            assert code[named.end() :] in (ROOT / named[1]).read_text(encoding="utf-8")


def test_the_first_screen_of_the_readme_names_the_two_commands() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:30]
    assert {"make run", "make test"} <= {line.split("#")[0].strip() for line in first_screen}


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "lint", "bench", "help"):
        assert f"make {target} " in shown
