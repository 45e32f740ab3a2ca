"""The documents, held against the code: keys, commands, links, examples."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import unquote

import pytest

from wampflask import WAMP
from wampflask.after_commit import AfterCommit
from wampflask.apps import config as site_config
from wampflask.audience import Audience
from wampflask.config import Config, key_of
from wampflask.status import COUNTERS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.*?) \|", re.MULTILINE)
LINK = re.compile(r"""!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)="([^"]+)\"""")
QUOTED = re.compile(r"^`(examples/[^`\n]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
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
    for found in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
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
    text = page.read_text(encoding="utf-8")
    for language, code in FENCE.findall(text):
        named = re.match(r"# (examples/\S+)\n", code)
        if language and named:
            assert code[named.end() :] in (ROOT / named[1]).read_text(encoding="utf-8")
    for file, code in QUOTED.findall(text):
        assert code == (ROOT / file).read_text(encoding="utf-8"), file


CHAINED: dict[str, type] = {"to": Audience, "after_commit": AfterCommit}
"""What calls of these methods of ``wamp`` return."""
INLINE = re.compile(r"`(@?wamp(?:flask)?\.[^`]*\([^`]*\))`")
DECLARATION = re.compile(r"^export (?:class|const|function|interface) (\w+)", re.MULTILINE)


def python_in(page: Path) -> Iterator[tuple[str, ast.Module]]:
    """Blocks, and calls in running text, each with its syntax tree."""
    text = page.read_text(encoding="utf-8")
    for language, code in FENCE.findall(text):
        if language == "python":
            block = dedent(re.sub(r"^# examples/\S+\n", "", code))
            yield block, ast.parse(block)
    for call in INLINE.findall(text):
        code = call.lstrip("@").replace("(…", "(*...").replace("=…", "=...").replace(", …", ", *...")
        yield call, ast.parse(code.replace(r" \| ", ", "))


def named_by(node: ast.expr) -> Callable[..., Any] | None:
    """What an attribute of ``wamp`` or of what it returns stands for; None for anything else.

    :raises AttributeError: there is no such thing.
    """
    match node:
        case ast.Attribute(ast.Name("wamp"), attr):
            found = inspect.getattr_static(WAMP, attr)
        case ast.Attribute(ast.Call(ast.Attribute(ast.Name("wamp"), made)), attr) if made in CHAINED:
            found = getattr(CHAINED[made], attr)
        case _:
            return None
    return found if inspect.isfunction(found) else None


def is_taken(function: Callable[..., Any], keyword: str | None) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(item.name == keyword or item.kind is item.VAR_KEYWORD for item in parameters)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_in_the_documents_names_what_there_is(page: Path) -> None:
    for code, tree in python_in(page):
        for node in ast.walk(tree):
            match node:
                case ast.ImportFrom(str(module), names) if module.split(".")[0] == "wampflask":
                    for item in names:
                        assert pkgutil.resolve_name(f"{module}.{item.name}"), code
                case ast.Call(ast.Attribute() as called, _, keywords):
                    function = named_by(called)
                    unknown = [item.arg for item in keywords if function and not is_taken(function, item.arg)]
                    assert not unknown, code
                case ast.Attribute() if ast.unparse(node).startswith("wampflask."):
                    assert pkgutil.resolve_name(ast.unparse(node)), code
                case ast.Attribute():
                    named_by(node)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_javascript_in_the_documents_imports_what_there_is(page: Path) -> None:
    declared = DECLARATION.findall((ROOT / "wampflask" / "browser" / "index.d.ts").read_text(encoding="utf-8"))
    for names in re.findall(r'import \{([^}]*[^}…\s][^}]*)\} from "wampflask"', page.read_text(encoding="utf-8")):
        assert {name.strip() for name in names.split(",")} <= {*declared, "…"}


def test_the_first_screen_of_the_readme_names_the_two_commands() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:30]
    assert {"make run", "make test"} <= {line.split("#")[0].strip() for line in first_screen}


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "lint", "bench", "help"):
        assert f"make {target} " in shown


def questions_of_newcomers() -> list[tuple[str, str]]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(r"^\| ([A-Z][^|]*\?) \| `([^|]+)` \|$", text, re.MULTILINE)


@pytest.mark.parametrize(("question", "pattern"), questions_of_newcomers())
def test_one_grep_answers_a_newcomers_question(question: str, pattern: str) -> None:
    """In one to three files: more are no answer."""
    sources = [path for path in (ROOT / "wampflask").rglob("*.py") if not path.is_symlink()]
    found = [path.name for path in sources if re.search(pattern, path.read_text(encoding="utf-8"))]
    assert 1 <= len(found) <= 3, (question, found)


def test_ten_questions_of_newcomers_are_answered() -> None:
    assert len(questions_of_newcomers()) >= 10
