"""The key that tickets are signed with: a file of the instance folder, which workers and the router read."""

from __future__ import annotations

import secrets
from pathlib import Path

from .files import create, locked, replace

KEY_FILE = "ticket.key"


def ensure_key(instance: Path, secret: str = "") -> str:
    """Return the ticket secret of an instance folder; made at the first start, readable by its owner alone.

    :param secret: to be the key from now on, where a deployment sets one; the router reads it from the file.
    :raises OSError: when the folder cannot be written.
    """
    file = instance / KEY_FILE
    instance.mkdir(parents=True, exist_ok=True)
    if not secret and file.exists():
        return file.read_text(encoding="utf-8").strip()
    if not secret:
        create(file, secrets.token_hex(32) + "\n")
    elif not file.exists() or file.read_text(encoding="utf-8").strip() != secret:
        with locked(file):
            replace(file, secret + "\n")
    return file.read_text(encoding="utf-8").strip()
