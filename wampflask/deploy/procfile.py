"""The programs that an app consists of: a Procfile, each line ``name: command``, for a shell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

ROUTER = "router"
WEB = "web"

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)")
_NEEDS_SHELL = re.compile(r"[|&;<>`]|\$\(")


def commands_of(procfile: Path) -> dict[str, str]:
    """Return the programs of a Procfile, in its order."""
    lines = (line.partition(":") for line in procfile.read_text(encoding="utf-8").splitlines())
    return {name: command.strip() for name, colon, command in lines if colon and not name.startswith("#")}


def expand(command: str, values: Mapping[str, str]) -> str:
    """Return a command with its variables (``${PORT:-8080}``) replaced, and without ``exec``."""

    def value(found: re.Match[str]) -> str:
        return values.get(found[1] or found[3]) or found[2] or ""

    return _VARIABLE.sub(value, command).removeprefix("exec ")


def direct(command: str, folder: Path) -> str:
    """Return an expanded command as systemd starts it: with the program's full path, and a shell where it needs one.

    :param folder: where the programs are.
    """
    program, _, rest = command.partition(" ")
    if "/" not in program:
        command = f"{folder / program} {rest}".rstrip()
    if _NEEDS_SHELL.search(command):
        command = "/bin/sh -c '{}'".format(f"exec {command}".replace("'", "\"'\"'"))
    return command.replace("%", "%%").replace("$", "$$")
