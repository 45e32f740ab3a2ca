"""Builds the documentation site: ``make docs`` writes it to build/docs.

The pages are Markdown, and read the same where the code is hosted. So the source folder is the checkout, for links such
as ``../SECURITY.md``, and the sections of docs/index.md are the table of contents.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("SECURITY.md", "CONTRIBUTING.md", "CHANGES.md")

project = "wampflask"
release = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
author = "wampflask contributors"
extensions = ["myst_parser"]

root_doc = "docs/index"
include_patterns = ["docs/*.md", *PAGES]
exclude_patterns = [file.name for file in ROOT.iterdir() if file.is_dir() and file.name != "docs"]
myst_heading_anchors = 4
highlight_language = "text"
nitpicky = True

html_theme = "furo"
html_title = f"wampflask {release}"
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

SECTION = re.compile(r"^## (.*)\n((?:(?!^## ).*\n?)*)", re.MULTILINE)
PAGE = re.compile(r"\]\(((?:\.\./)?\w+)\.md\)")
CONTENTS = "\n```{{toctree}}\n:hidden:\n:caption: {}\n\n{}\n```\n"


def add_contents(_app: Sphinx, name: str, source: list[str]) -> None:
    """Give each section of the index what Sphinx needs for the site's menu."""
    if name == root_doc:
        sections = SECTION.findall(source[0])
        source[0] += "".join(CONTENTS.format(title, "\n".join(PAGE.findall(text))) for title, text in sections)


def lead_to_index(app: Sphinx, error: Exception | None) -> None:
    """Let the site's own address show the index, which lies in a folder."""
    if error is None:
        page = f'<!doctype html><title>wampflask</title><meta http-equiv="refresh" content="0; url={root_doc}.html">'
        (Path(app.outdir) / "index.html").write_text(page + "\n", encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect both."""
    app.connect("source-read", add_contents)
    app.connect("build-finished", lead_to_index)
