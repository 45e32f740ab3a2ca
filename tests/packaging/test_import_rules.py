"""Who may import whom: the layers of the code, read from its syntax trees."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "wampflask"
REACTOR, SESSION = "wampflask._reactor", "wampflask._session"
IN_THE_REACTOR = {REACTOR, SESSION, "wampflask._registrations", "wampflask._engine", "wampflask._link"}
PLUGIN, ROUTER, COMMANDS = "wampflask.plugin", "wampflask.router", "wampflask.cli"
PLUGIN_MAY = {"itsdangerous", "autobahn", "txaio", "twisted"}  # txaio and twisted are autobahn's own ground


class Import(NamedTuple):
    """One imported name: by which module, in which line, and its full dotted path."""

    module: str
    line: int
    name: str

    @property
    def top(self) -> str:
        return self.name.split(".")[0]


def module_name(file: Path, root: Path = ROOT) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_in(source: str, module: str, *, is_package: bool) -> Iterator[Import]:
    """Every import of a source text, relative ones resolved; those inside functions, too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(module, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: None if is_package and node.level == 1 else -(node.level - is_package)]
                base = ".".join([*above, *filter(None, [node.module])])
            yield from (Import(module, node.lineno, f"{base}.{alias.name}") for alias in node.names)


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    found: list[Import] = []
    for file in sorted(PACKAGE.rglob("*.py")):
        is_package = file.name == "__init__.py"
        found += imports_in(file.read_text(encoding="utf-8"), module_name(file), is_package=is_package)
    assert found
    return found


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def is_core(module: str) -> bool:
    return not inside(module, "wampflask.apps") and not inside(module, "wampflask.plugin")


def feature(name: str) -> str | None:
    """The feature folder a dotted name belongs to: "polls" for wampflask.apps.polls.views."""
    parts = name.split(".")
    if parts[:2] != ["wampflask", "apps"] or len(parts) < 3 or not (PACKAGE / "apps" / parts[2]).is_dir():
        return None
    return parts[2]


def test_relative_imports_are_resolved() -> None:
    def names(source: str, *, is_package: bool) -> list[str]:
        return [found.name for found in imports_in(source, "wampflask.apps.polls", is_package=is_package)]

    assert names("from . import service", is_package=True) == ["wampflask.apps.polls.service"]
    assert names("from .. import extensions", is_package=True) == ["wampflask.apps.extensions"]
    assert names("from . import extensions", is_package=False) == ["wampflask.apps.extensions"]
    assert names("from ..uris import check", is_package=False) == ["wampflask.uris.check"]


def test_the_library_never_imports_the_site(imports: list[Import]) -> None:
    assert [i for i in imports if is_core(i.module) and inside(i.name, "wampflask.apps")] == []


def test_crochet_is_imported_by_the_reactor_module_alone(imports: list[Import]) -> None:
    assert {i.module for i in imports if i.top == "crochet"} == {REACTOR}


def users_of(imports: list[Import], *packages: str) -> set[str]:
    """Our modules that import one of ``packages``; Crossbar's plugin lives in another process."""
    return {i.module for i in imports if i.top in packages and not inside(i.module, "wampflask.plugin")}


def test_autobahn_is_imported_by_the_session_module_alone(imports: list[Import]) -> None:
    assert users_of(imports, "autobahn", "txaio") == {SESSION}


def test_twisted_is_imported_where_code_runs_in_the_reactor_alone(imports: list[Import]) -> None:
    assert users_of(imports, "twisted") == IN_THE_REACTOR


def test_the_router_plugin_imports_only_what_crossbars_environment_has(imports: list[Import]) -> None:
    foreign = [
        i
        for i in imports
        if inside(i.module, "wampflask.plugin")
        and i.top not in PLUGIN_MAY | set(sys.stdlib_module_names)
        and not inside(i.name, "wampflask.plugin")
    ]
    assert foreign == []


def test_nothing_outside_crossbar_patches_autobahn(imports: list[Import]) -> None:
    """What changes Crossbar and autobahn in place is for the router's process: a Flask worker has them as they are."""
    patching = {f"{PLUGIN}.{name}" for name in ("backlog", "framing", "heap", "patches", "redaction", "writing")}
    assert all((ROOT / f"{name.replace('.', '/')}.py").is_file() for name in patching)
    users = {i.module for i in imports if any(inside(i.name, name) for name in patching)}
    assert [user for user in users if not inside(user, PLUGIN)] == []


def test_a_feature_uses_only_contract_and_service_of_another(imports: list[Import]) -> None:
    wrong = [
        i
        for i in imports
        if (own := feature(i.module)) and (other := feature(i.name)) and own != other
        if i.name.split(".")[3] not in ("contract", "service")
        if not (own == "admin" and i.name.split(".")[3] == "admin")  # it gathers what each feature brings for it
    ]
    assert wrong == []


def modules_of(imports: list[Import]) -> dict[str, set[str]]:
    """Which of our modules each of our modules imports, wherever the import stands: in a function, for types alone."""
    known = {module_name(file) for file in PACKAGE.rglob("*.py")}

    def module_of(name: str) -> str | None:
        parent = name.rpartition(".")[0]
        return next((found for found in (name, parent) if found in known), None)

    graph: dict[str, set[str]] = {module: set() for module in known}
    for found in imports:
        target = module_of(found.name)
        if target and target != found.module:
            graph[found.module].add(target)
    return graph


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """The sets of modules each of which leads to all the others."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for following in graph[waiting.pop()] - seen:
                seen.add(following)
                waiting.append(following)
        return seen

    reached = {module: reach(module) for module in graph}
    tied = {module: frozenset(other for other in reached[module] if module in reached[other]) for module in graph}
    return {found for found in tied.values() if found}


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str]()}
    assert circles(graph) == {frozenset({"b", "c"})}


def test_the_library_has_no_circle_of_imports(imports: list[Import]) -> None:
    """Not in a function either, nor for types alone: what two modules need of each other is a third one, or a Protocol.

    A package's ``__init__`` only names what its modules define, so what imports it from within is no circle.
    """
    graph = modules_of([i for i in imports if not inside(i.module, "wampflask.apps")])
    assert circles(graph) == set()


def test_the_floors_of_the_library(imports: list[Import]) -> None:
    """The plugin imports nothing of ours, permissions only the plugin, the router both, and commands stand above."""
    graph = modules_of(imports)

    def below(module: str) -> set[str]:
        found = {other for name in graph if inside(name, module) for other in graph[name]}
        return {other for other in found if not inside(other, module)}

    assert below(PLUGIN) == set()
    assert COMMANDS not in below(ROUTER) | {other for name in below(ROUTER) for other in below(name)}
    users = {module for module in graph if COMMANDS in graph[module] and not inside(module, "wampflask.apps")}
    assert users == {"wampflask.commands", "wampflask.extension"}


DOMAIN = {
    "wampflask.apps.accounts": {"email_policy", "models", "rules", "service"},
    "wampflask.apps.chat": {"errors", "links", "models", "people", "service", "validation"},
    "wampflask.apps.monitor": {"adding", "metrics", "models", "presence", "service", "units"},
    "wampflask.apps.monitor.alerts": {"evaluation", "models"},
    "wampflask.apps.monitor.intake": {"batching", "enrolment", "history", "models", "samples", "snapshots"},
    "wampflask.apps.monitor.settings": {"service"},
    "wampflask.apps.player": {"media", "service"},
    "wampflask.apps.polls": {"changes", "examples", "export", "models", "service", "shares", "voting"},
    "wampflask.apps.tables": {"models", "service"},
}
"""What a feature is about, whatever the module's name; the rest of its modules are HTTP, WAMP, forms, and commands."""
EVERYWHERE = {"wampflask.reading"}
"""Says that a transaction only reads; no HTTP, no WAMP."""


def test_the_domain_is_named_completely() -> None:
    named = {f"{folder}.{name}" for folder, names in DOMAIN.items() for name in names}
    known = {module_name(file) for file in (PACKAGE / "apps").rglob("*.py")}
    assert named <= known
    words = ("service", "models", "errors", "validation", "rules")
    assert {name for name in known if feature(name) and name.endswith(words)} <= named


def test_the_domain_knows_neither_http_nor_wamp(imports: list[Import]) -> None:
    wrong = [
        i
        for i in imports
        if i.module.rpartition(".")[2] in DOMAIN.get(i.module.rpartition(".")[0], ())
        if i.top in ("flask", "flask_login")
        or (i.top == "wampflask" and not any(inside(i.name, ours) for ours in ("wampflask.apps", *EVERYWHERE)))
        or i.name == "wampflask.apps.extensions.wamp"
    ]
    assert wrong == []


def test_what_the_package_imports_is_installed_with_it(imports: list[Import]) -> None:
    """Not only with the tests: `make run` installs requirements/site.txt alone."""
    pins = (ROOT / "requirements" / "site.txt").read_text(encoding="utf-8")
    pinned = {canonicalize_name(line.partition("==")[0]) for line in pins.splitlines() if "==" in line}
    bringers = packages_distributions()
    for_tests = {"wampflask.pytest_plugin"}  # a plugin of pytest's, imported by pytest alone
    missing = [
        i
        for i in imports
        if i.top not in {"wampflask", *sys.stdlib_module_names} and i.module not in for_tests
        if not {canonicalize_name(name) for name in bringers.get(i.top, [])} & pinned
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("folder", "others"),
    [("bench", {"tests"}), ("tests", {"bench"}), ("rig", {"bench", "tests"})],
)
def test_measurements_and_tests_meet_in_the_rig_alone(folder: str, others: set[str]) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    found = [
        i
        for file in files
        for i in imports_in(file.read_text(encoding="utf-8"), module_name(file), is_package=file.name == "__init__.py")
    ]
    assert "wampflask" in {i.top for i in found}
    assert [i for i in found if i.top in others] == []


def test_the_agent_imports_nothing_of_ours() -> None:
    for file in (ROOT / "agent").rglob("*.py"):
        names = imports_in(file.read_text(encoding="utf-8"), "agent", is_package=False)
        assert {found.top for found in names} & {"flask", "wampflask"} == set()
