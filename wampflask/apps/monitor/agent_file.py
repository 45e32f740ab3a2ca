"""The agent's program as this site has it: the package in the checkout, or wampflask-agent installed beside the site.

Hosts fetch it as one file, a zip archive that Python runs under any name. Its bytes depend on the sources alone.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

NAME = "wampflask_agent"
CHECKOUT = Path(__file__).resolve().parents[3] / "agent"
_SHEBANG = b"#!/usr/bin/env python3\n"
_SHIPPED = (".py", ".txt")


def package() -> Path | None:
    """Return the folder of the agent's package, None where there is none."""
    if (checkout := CHECKOUT / NAME).is_dir():
        return checkout
    spec = find_spec(NAME)
    return Path(spec.origin).parent if spec and spec.origin else None


def program() -> Path | None:
    """Return what ``python`` runs to start an agent on this machine."""
    folder = package()
    return CHECKOUT / "agent.py" if folder == CHECKOUT / NAME else folder


@cache
def archive() -> bytes | None:
    """Return the one file for hosts, None where the agent is not installed beside this site."""
    folder = package()
    return packed(folder) if folder else None


def packed(folder: Path) -> bytes:
    """Return a runnable zip archive of a package that has a ``__main__.py``."""
    files = sorted(file for file in folder.iterdir() if file.suffix in _SHIPPED)
    names = {f"{folder.name}/{file.name}": file for file in files} | {"__main__.py": folder / "__main__.py"}
    out = BytesIO()
    out.write(_SHEBANG)
    with ZipFile(out, "w") as whole:
        for name, file in names.items():
            entry = ZipInfo(name)  # dated 1980: a checkout's file times say nothing
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            whole.writestr(entry, file.read_bytes())
    return out.getvalue()


@cache
def requirements() -> tuple[str, ...]:
    """Return what the agent needs from the package index, as its own list says."""
    folder = package()
    return tuple((folder / "requirements.txt").read_text(encoding="utf-8").split("\n")[:-1]) if folder else ()
