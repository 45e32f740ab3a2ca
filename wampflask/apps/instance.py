"""The instance folder: secrets, database, the router's node. Only its owner can read it."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from wampflask import ConfigError
from wampflask.files import create

SECRETS_FILE = "secrets.json"
_NAMES = ("SECRET_KEY", "SECURITY_PASSWORD_SALT")


def make(folder: Path) -> None:
    """Create the folder, and have this process and its children create files that only their owner can read.

    :raises OSError: it cannot be created.
    """
    os.umask(0o077)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def prepare(folder: Path) -> None:
    """Create the folder for a site, and check that it can be used.

    :raises ConfigError: when it cannot be made or written.
    """
    try:
        make(folder)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied", str(folder))
    except OSError as error:
        raise ConfigError(
            f"The instance folder {folder} cannot be used ({error.strerror}). Set INSTANCE to a folder you may write."
        ) from None


def read_secrets(folder: Path) -> dict[str, str]:
    """Return the site's secrets, generated at the first start, also when several workers start together.

    :raises ConfigError: when the file is damaged.
    """
    file = folder / SECRETS_FILE
    if not file.exists():
        create(file, json.dumps({name: secrets.token_urlsafe(48) for name in _NAMES}, indent=2) + "\n")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {name: str(found[name]) for name in _NAMES}
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{file} is damaged. Restore it from a backup. Or delete it: then everyone is logged out, "
            "and passwords must be set again with 'flask users set-password'."
        ) from None
