"""The key that tickets are signed with: a file of the instance folder, which workers and the router read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

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
    if not file.exists() or file.read_text(encoding="utf-8").strip() != secret:
        _write_key(file, secret or secrets.token_hex(32), replace=bool(secret))
    return file.read_text(encoding="utf-8").strip()


def _write_key(file: Path, secret: str, *, replace: bool) -> None:
    """Write whole or not at all; of two processes that start at once, the first one's key stays."""
    new = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(secret + "\n")
    try:
        if replace:
            new.replace(file)
        else:
            os.link(new, file)
    except FileExistsError:
        pass
    finally:
        new.unlink(missing_ok=True)
