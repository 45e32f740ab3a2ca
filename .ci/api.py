"""Writes docs/api.md from the library's docstrings; a reference in them to what there is not ends it with an error.

``make docs`` runs it, a test runs it with ``--check``: the page is what the docstrings are.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"

PARTS = {
    "wampflask": (),
    "wampflask.audience": ("Audience",),
    "wampflask.after_commit": ("AfterCommit",),
    "wampflask.live": ("Value", "Rows", "Log"),
    "wampflask.fragments": ("Fragment",),
    "wampflask.presence": ("Presence", "Person"),
    "wampflask.binding": ("Binding",),
    "wampflask.live_table": ("live_table",),
    "wampflask.locks": ("Lock",),
    "wampflask.meta": (),
    "wampflask.tail": ("Tail",),
    "wampflask.signals": ("connected", "ready", "lost", "dropped"),
    "wampflask.testing": (),
}
"""Modules and their names; none: what their ``__all__`` lists."""

HEAD = """# API

Every public name, from the docstrings (`make docs` writes this page). [live.md](live.md), [binding.md](binding.md),
[permissions.md](permissions.md) and [testing.md](testing.md) have the same with examples, and [browser.md](browser.md)
the browser's side.
"""

ROLE = re.compile(r":(?:class|meth|func|data|mod|attr|exc):`~?([^`]+)`")


def modules() -> Iterator[ModuleType]:
    """Every module of the library that a Flask process can import."""
    for file in sorted((ROOT / "wampflask").rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if not {"apps", "lean", "pythonpath", "__main__", "pytest_plugin"} & set(parts):
            yield importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


def is_there(name: str, places: list[Any]) -> bool:
    """Whether ``name`` can be reached from one of ``places``, or is a module's full name."""
    parts = name.split(".")
    for place in places:
        found = place
        for part in parts:
            annotated = part in getattr(found, "__annotations__", {})
            found = getattr(found, part, Ellipsis if not annotated else None)
            if found is Ellipsis:
                break
        else:
            return True
    return bool(parts[1:]) and parts[0] == "wampflask" and _is_in_a_module(parts)


def _is_in_a_module(parts: list[str]) -> bool:
    for length in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        return length == len(parts) or is_there(".".join(parts[length:]), [module])
    return False


def broken() -> list[str]:
    """References in the library's docstrings that lead nowhere."""
    public = importlib.import_module("wampflask")
    found = []
    for module in modules():
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        known = inspect.getmembers(module, inspect.isclass)
        classes = [each for _, each in known if each.__module__ == module.__name__]
        places = [module, public, *classes]
        found += [f"{module.__name__}: {name}" for name in ROLE.findall(source) if not is_there(name, places)]
    return found


def page() -> str:
    """The text of docs/api.md."""
    lines = [HEAD]
    for path, names in PARTS.items():
        module = importlib.import_module(path)
        lines.append(f"## {path}\n")
        for name in names or module.__all__:
            lines += described(module, name)
    return "\n".join(lines).rstrip() + "\n"


def described(module: ModuleType, name: str) -> Iterator[str]:
    """The entry of one name, and of what a class offers."""
    thing = getattr(module, name)
    if inspect.isroutine(thing):
        yield f"### {name}\n\n`{name}{signature(thing)}`\n\n{markdown(inspect.getdoc(thing))}"
        return
    if not inspect.isclass(thing):
        yield f"### {name}\n\n{markdown(doc_of_value(module, name))}"
        return
    yield f"### {name}\n\n{markdown(inspect.getdoc(thing))}"
    if issubclass(thing, BaseException):
        return
    for member in sorted(dir(thing)):
        found = inspect.getattr_static(thing, member)
        owner = next((base for base in thing.__mro__ if member in vars(base)), object)
        if member.startswith("_") or not owner.__module__.startswith("wampflask") or not inspect.getdoc(found):
            continue
        if isinstance(found, (property, cached_property)):
            yield f"#### {name}.{member}\n\n{markdown(inspect.getdoc(found))}"
        elif inspect.isroutine(found):
            yield (
                f"#### {name}.{member}\n\n`{member}{signature(getattr(thing, member))}`\n\n"
                f"{markdown(inspect.getdoc(found))}"
            )


def signature(function: Any) -> str:
    """As it is written: without self, and annotations without quotes."""
    text = str(inspect.signature(function)).replace("(self, ", "(").replace("(self)", "()")
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)


def doc_of_value(module: ModuleType, name: str) -> str:
    """The text below the assignment of ``name``, in its module or in the one of the same name that it comes from."""
    places = [module, sys.modules.get(f"{module.__name__}.{name}", module)]
    for place in places:
        body = ast.parse(Path(str(place.__file__)).read_text(encoding="utf-8")).body
        for node, below in pairwise(body):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            is_it = any(isinstance(target, ast.Name) and target.id == name for target in targets)
            if is_it and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                return inspect.cleandoc(str(below.value.value))
    raise LookupError(f"{module.__name__}.{name} has no docstring")


def markdown(doc: str | None) -> str:
    """A docstring as Markdown: fields as a list, roles and literals as code, examples as blocks."""
    text = ROLE.sub(lambda role: f"`{role[1].removeprefix('wampflask.')}`", doc or "").replace("``", "`")
    text = re.sub(r"^:param (\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)
    text = re.sub(r"^:raises (\w+): ", r"- raises `\1`: ", text, flags=re.MULTILINE)
    text = re.sub(r"^:returns: ", "- returns ", text, flags=re.MULTILINE)
    block = re.compile(r"\s*::\n\n((?:    .*\n?|\n)+)")
    return block.sub(lambda found: f"\n\n```text\n{inspect.cleandoc(found[1])}\n```\n\n", text) + "\n"


def main() -> int:
    """Write the page, or with ``--check`` compare it."""
    if wrong := broken():
        sys.stderr.write("References that lead nowhere:\n" + "\n".join(wrong) + "\n")
        return 1
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.stderr.write("docs/api.md is not what the docstrings are: run make docs.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
