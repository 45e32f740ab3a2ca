"""Lines of pages fit beside each other: what formatters leave as it is, comments and templates above all."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 100
KINDS = {
    "templates": [".html"],
    "static/js": [".js"],
    "static/css": [".css"],
}


@pytest.mark.parametrize("folder", KINDS)
def test_no_line_is_too_wide(folder: str) -> None:
    files = [file for file in (ROOT / folder).rglob("*") if file.suffix in KINDS[folder]]
    assert files
    wide = [
        f"{file.relative_to(ROOT)}:{number}: {len(line)}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > WIDTH
    ]
    assert wide == []
