"""Keys for programs: bots, scheduled jobs and clients in other languages, which have no log-in.

``flask wamp key create NAME --role agent --uri shop.stock`` makes one and shows it once. With it a program fetches a
ticket for each connect, ``POST /wamp/ticket`` with ``Authorization: Bearer <key>``, and joins as ``key:<name>``. The
file ``keys.json`` in the instance folder has their hashes. Everything is safe in any thread and process.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import uris
from .errors import ConfigError
from .files import locked, replace

__all__ = ["Key", "Keys"]

FILE = "keys.json"

_NAME = re.compile(r"[0-9a-z_]{1,64}")


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    :param uris: it may use these URIs and those below them, as far as its role may; none for all that its role may.
    :param digest: SHA-256 of the key, in hexadecimal digits: a key is random, and not to be guessed from it.
    :param made: seconds since the epoch.
    """

    name: str
    role: str
    uris: tuple[str, ...]
    digest: str
    made: float

    @property
    def authid(self) -> str:
        """Of the program's sessions."""
        return f"key:{self.name}"


class Keys:
    """The keys of one instance folder."""

    def __init__(self, instance: Path) -> None:
        self._file = instance / FILE

    def create(self, name: str, role: str, below: Iterable[str], *, roles: Iterable[str]) -> str:
        """Make a key and return it; it is not kept.

        :param below: URIs, such as ``shop.stock``.
        :param roles: those that there are.
        :raises ConfigError: for a name that is taken or cannot be, a role that there is not, or a reserved URI.
        :raises InvalidURI: for a URI that is not strict.
        """
        known = tuple(roles)
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} cannot be a key's name: use up to 64 of lower-case letters, digits and _.")
        if role not in known:
            raise ConfigError(f"There is no role {role!r}; the roles are {', '.join(known)}.")
        scope = tuple(uris.check_own(uri) for uri in below)
        key = f"{name}.{secrets.token_urlsafe(32)}"
        with locked(self._file):
            kept = self._read()
            if name in kept:
                raise ConfigError(f"There is a key {name!r} already: revoke it, or use another name.")
            self._write({**kept, name: Key(name, role, scope, _digest(key), time.time())})
        return key

    def revoke(self, name: str) -> Key:
        """Forget a key; it gets no ticket any more.

        :raises ConfigError: there is none of this name.
        """
        with locked(self._file):
            kept = self._read()
            if name not in kept:
                raise ConfigError(f"There is no key {name!r}; there are: {', '.join(kept) or 'none'}.")
            found = kept.pop(name)
            self._write(kept)
        return found

    def find(self, key: str) -> Key | None:
        """Return the :class:`Key` of a program's key; None for an unknown one."""
        found = self._read().get(key.partition(".")[0])
        return found if found and hmac.compare_digest(found.digest, _digest(key)) else None

    def all(self) -> list[Key]:
        """Return all of them, by name."""
        return [key for _, key in sorted(self._read().items())]

    def _read(self) -> dict[str, Key]:
        try:
            found: list[dict[str, Any]] = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {item["name"]: Key(**{**item, "uris": tuple(item["uris"])}) for item in found}

    def _write(self, keys: dict[str, Key]) -> None:
        replace(self._file, json.dumps([asdict(key) for key in keys.values()], indent=1) + "\n")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
