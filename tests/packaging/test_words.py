"""Plain English wherever people read: pages, errors, help, docstrings, comments and documents (docs/glossary.md)."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]

INSTEAD = {
    r"(?<!here\s)\b(?:is|are|was|were) no\b(?! longer\b| more than\b)": "isn't a …, doesn't count as …",
    r"\b(?:tell|tells|telling|told)\b": "notify, publish, send, show, log",
    r"\bwhoever\b": "anyone who, the person who",
    r"\bfor ever\b": "without end, or what ends it",
    r"\bstrangers?\b": "untrusted client, visitor",
    r"\bshall\b": "must, should",
    r"\b(?:one|someone|somebody)'s own\b": "your own",
    r"\bof ours\b": "our …, the app's own",
    r"\bmade up\b": "generated, invented",
    r"\bslips?\b": "typo, mistake",
    r"\bthose who\b": "people who, clients that",
    r"\bsteer(?:s|ed|ing)?\b": "control",
    r"\bshut out\b": "ban, refuse",
    r"\bso many\b": "this many, or the number",
    r"\b(?:is|are|was|were|be) said\b": "is reported, is shown, is required",
    r"\bsa(?:y|ys|ying) so\b": "report it, show it",
    r"\bby chance\b": "at random",
    r"\bworth while\b": "worth it",
    r"\bb(?:rought|rings?|ringing) (?:it )?along\b": "download, include",
}
"""The words of no native speaker's manual, and what to write instead."""

READ = {".py", ".md", ".js", ".ts", ".html", ".txt", ".cfg", ".css"}
UNREAD = ("CHANGES.md", "tests/", "examples/", "static/vendor/", "static/built/", "wampflask/browser/dist/")
THIS_PAGE = "docs/glossary.md"  # it names what not to write

_IN_SCRIPTS = re.compile(r"""//.*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`""", re.DOTALL)
_DIALECT = re.compile("|".join(f"(?:{pattern})" for pattern in INSTEAD).replace(" ", r"\s+"), re.IGNORECASE)


class Find(NamedTuple):
    """One place: the file, the line and what stands there."""

    file: str
    line: int
    words: str


def in_python(source: str) -> Iterator[tuple[int, str]]:
    """Comments and strings with the number of their first line; names of variables are nobody's reading."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in {tokenize.COMMENT, tokenize.STRING}:
            yield token.start[0], token.string


def in_scripts(source: str) -> Iterator[tuple[int, str]]:
    """Comments and strings of JavaScript and TypeScript."""
    for found in _IN_SCRIPTS.finditer(source):
        yield source.count("\n", 0, found.start()) + 1, found[0]


def in_text(source: str) -> Iterator[tuple[int, str]]:
    """Everything."""
    yield 1, source


READERS = {".py": in_python, ".js": in_scripts, ".ts": in_scripts}


def dialect_in(file: str, source: str) -> Iterator[Find]:
    for first, text in READERS.get(Path(file).suffix, in_text)(source):
        for found in _DIALECT.finditer(text):
            yield Find(file, first + text.count("\n", 0, found.start()), " ".join(found[0].split()))


@cache
def finds() -> tuple[Find, ...]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    files = [file for file in listed if Path(file).suffix in READ and not file.startswith(UNREAD) and file != THIS_PAGE]
    read = [(file, ROOT / file) for file in files if not (ROOT / file).is_symlink() and (ROOT / file).is_file()]
    assert len(read) > 300
    return tuple(find for file, path in read for find in dialect_in(file, path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("file", "source", "expected"),
    [
        ("a.py", 'told = 1  # it is told\nsay("a slip")', [(1, "told"), (2, "slip")]),
        ("a.py", '"""Nothing\nis no\nfloat."""', [(2, "is no")]),
        ("a.py", 'raise E("There is no key, and it is no longer there")', []),
        ("a.js", 'const told = "shall"; // whoever', [(1, "shall"), (1, "whoever")]),
        ("a.html", "<p>Strangers</p>\n<p>so many</p>", [(1, "Strangers"), (2, "so many")]),
    ],
)
def test_the_dialect_is_found(file: str, source: str, expected: list[tuple[int, str]]) -> None:
    assert [(find.line, find.words) for find in dialect_in(file, source)] == expected


def test_words_for_people_are_plain() -> None:
    assert finds() == (), INSTEAD
