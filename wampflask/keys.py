"""Keys for programs: bots, scheduled jobs, scripts and clients in other languages, which have no log-in.

``flask wamp key create NAME --role agent --uri shop.stock`` makes one and shows it once: ``NAME.SECRET``. A program
fetches a ticket with it for each connect (``POST /wamp/ticket`` with ``Authorization: Bearer <key>``), or signs the
requests that it sends to the bridge (:mod:`wampflask.bridge`); either way it is ``key:<name>``. The file ``keys.json``
in the instance folder has each key's salt: its secret is derived from that and the ticket secret, and is kept nowhere.
Everything is safe in any thread and process.
"""

from __future__ import annotations

import base64
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
PURPOSE = "wampflask.key"
"""What the secret of keys is derived for: see :meth:`wampflask.plugin.tickets.Tickets.derive`."""

_NAME = re.compile(r"[0-9a-z_]{1,60}")
_NOBODY = "-"


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    :param uris: it may use these URIs and those below them, as far as its role may; none for all that its role may.
    :param salt: random; with the ticket secret it makes the key's own.
    :param made: seconds since the epoch.
    :param expires: the same; None for a key that lasts until it is revoked.
    """

    name: str
    role: str
    uris: tuple[str, ...]
    salt: str
    made: float
    expires: float | None = None

    @property
    def authid(self) -> str:
        """Of the program's sessions."""
        return f"key:{self.name}"

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= time.time()


class Keys:
    """The keys of one instance folder.

    :param secret: what keys are derived from; with another one, every key is another.
    """

    def __init__(self, instance: Path, secret: str) -> None:
        self._file = instance / FILE
        self._secret = secret.encode()

    def create(
        self, name: str, role: str, below: Iterable[str], *, roles: Iterable[str], expires: float | None = None
    ) -> str:
        """Make a key and return it; it is not kept.

        :param below: URIs, such as ``shop.stock``.
        :param roles: those that there are.
        :param expires: seconds since the epoch; None for a key that lasts until it is revoked.
        :raises ConfigError: for a name that is taken or cannot be, a role that there is not, a reserved URI, or a
            moment that has passed.
        :raises InvalidURI: for a URI that is not strict.
        """
        known = tuple(roles)
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} cannot be a key's name: use up to 60 of lower-case letters, digits and _.")
        if role not in known:
            raise ConfigError(f"There is no role {role!r}; the roles are {', '.join(known)}.")
        made = Key(name, role, tuple(uris.check_own(uri) for uri in below), secrets.token_hex(16), time.time(), expires)
        if made.is_expired:
            raise ConfigError("The key would have expired already: name a moment to come.")
        with locked(self._file):
            kept = self._read()
            if name in kept:
                raise ConfigError(f"There is a key {name!r} already: revoke it, or use another name.")
            self._write({**kept, name: made})
        return f"{name}.{self.secret_of(made)}"

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
        """Return the :class:`Key` of a program's key, ``NAME.SECRET``; None for an unknown or an expired one."""
        name, _, secret = key.partition(".")
        found = self.get(name)
        return found if hmac.compare_digest(self.secret_of(found).encode(), secret.encode()) and found else None

    def get(self, name: str) -> Key | None:
        """Return the key of this name; None for an unknown or an expired one."""
        found = self._read().get(name)
        return None if found is None or found.is_expired else found

    def secret_of(self, key: Key | None) -> str:
        """Return the secret of a key; of None one that nobody has, in the same time."""
        about = f"{key.name}.{key.salt}" if key else _NOBODY
        return base64.urlsafe_b64encode(hmac.digest(self._secret, about.encode(), "sha256")).decode().rstrip("=")

    def all(self) -> list[Key]:
        """Return all of them, by name, the expired ones too."""
        return [key for _, key in sorted(self._read().items())]

    def _read(self) -> dict[str, Key]:
        try:
            found: list[dict[str, Any]] = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {item["name"]: Key(**{**item, "uris": tuple(item["uris"])}) for item in found}

    def _write(self, keys: dict[str, Key]) -> None:
        replace(self._file, json.dumps([asdict(key) for key in keys.values()], indent=1) + "\n")
