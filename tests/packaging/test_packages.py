"""The hand list of packages in setup.cfg, held against the disk."""

from __future__ import annotations

import configparser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAPPED = {"wampflask_agent": "agent", "wampflask.templates": "templates", "wampflask.static": "static"}


def listed() -> configparser.SectionProxy:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config["options"]


def lines(value: str) -> list[str]:
    return [line.strip() for line in value.splitlines() if line.strip()]


def test_every_package_on_disk_is_listed_once_and_no_other() -> None:
    on_disk = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "wampflask").rglob("__init__.py")}
    packages = lines(listed()["packages"])
    assert sorted(packages) == sorted(on_disk | set(MAPPED))


def test_templates_and_static_are_mapped_into_the_package() -> None:
    pairs = [line.replace(" ", "").split("=") for line in lines(listed()["package_dir"])]
    assert pairs == [[package, folder] for package, folder in MAPPED.items()]
    assert all((ROOT / folder).is_dir() for folder in MAPPED.values())


def test_no_python_file_lies_outside_a_package() -> None:
    """A module in a folder without ``__init__.py`` would be missing from the wheel (migrations are data)."""
    stray = [
        str(file.relative_to(ROOT))
        for file in (ROOT / "wampflask").rglob("*.py")
        if not (file.parent / "__init__.py").exists() and "migrations" not in file.parts
    ]
    assert stray == []
