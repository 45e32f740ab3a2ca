"""The packages that the agent needs, as its distribution lists them."""

from __future__ import annotations

import pkgutil

from . import __name__ as package
from .errors import AgentError


def requirements() -> str:
    """Return them as ``pip install`` takes them on a command line."""
    listed = pkgutil.get_data(package, "requirements.txt") or b""
    return " ".join(f'"{line}"' for line in listed.decode("ascii").splitlines())


def missing(error: ImportError) -> AgentError:
    """Return what to say about an import that failed."""
    return AgentError(f"{error}. Install what the agent needs: pip install {requirements()}")
