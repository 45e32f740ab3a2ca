"""Write the requirement files from what is installed in .venv and .crossbar/venv: `make pins`.

Ranges stand in setup.cfg and packages/site/requirements.txt; the pins say what the tests ran with. The site's list is
the closure of both, the developers' list is all the rest of .venv, the router's is its own venv.
"""

from __future__ import annotations

import configparser
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
ROUTER_PYTHON = ROOT / ".crossbar" / "venv" / "bin" / "python"
NEVER_PINNED = {"pip", "wampflask", "wampflask-agent", "wampflask-site"}


def installed() -> dict[str, tuple[str, list[Requirement]]]:
    """Canonical name -> ("Name==version", what it requires) of this interpreter's packages."""
    found: dict[str, tuple[str, list[Requirement]]] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        needs = [Requirement(line) for line in distribution.requires or []]
        found[canonicalize_name(name)] = (f"{name}=={distribution.version}", needs)
    return found


def declared() -> list[Requirement]:
    """The library's requirements and the site's, of other projects."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    site = (ROOT / "packages" / "site" / "requirements.txt").read_text(encoding="utf-8")
    lines = (config["options"]["install_requires"] + "\n" + site).splitlines()
    found = [Requirement(line) for line in lines if line.strip()]
    return [requirement for requirement in found if canonicalize_name(requirement.name) not in NEVER_PINNED]


def closure(wanted: list[Requirement], packages: dict[str, tuple[str, list[Requirement]]]) -> set[str]:
    """Canonical names of everything that the wanted requirements require."""
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = list(wanted)
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        if name not in packages:
            sys.exit(f"{requirement} is asked for, but not installed in .venv")
        seen.add(key)
        for need in packages[name][1]:
            extras = ["", *requirement.extras]
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras):
                queue.append(need)
    return {name for name, _ in seen}


def router_pins() -> list[str]:
    command = [str(ROUTER_PYTHON), "-m", "pip", "freeze", "--quiet", "--disable-pip-version-check"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return result.stdout.splitlines()


def write(name: str, heading: str, lines: list[str]) -> None:
    text = "\n".join([f"# {heading} Written by `make pins`.", *lines]) + "\n"
    (ROOT / name).write_text(text, encoding="utf-8")


def main() -> None:
    packages = installed()
    site = closure(declared(), packages)
    others = set(packages) - site - NEVER_PINNED
    pin = {name: packages[name][0] for name in packages}
    write("requirements/site.txt", "The library and the site.", sorted((pin[name] for name in site), key=str.lower))
    dev = sorted((pin[name] for name in others), key=str.lower)
    write("requirements/dev.txt", "What tests, lint and bench need besides the site.", ["-r site.txt", *dev])
    postgres = [pin["psycopg"], pin["psycopg-binary"]]
    write("requirements/postgres.txt", "What PostgreSQL needs besides.", postgres)
    heading = "Crossbar.io, in an environment of its own: .crossbar/venv."
    write("wampflask/router/requirements.txt", heading, router_pins())


if __name__ == "__main__":
    main()
