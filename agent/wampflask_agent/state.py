"""The folder in which an agent keeps its identity and what it has not uploaded."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from .config import Config
from .errors import AgentError

log = logging.getLogger("agent")


class State:
    """The folder in which an agent keeps its identity: ``host``, ``key``, ``config.json``, ``unsent``.

    Only its user can read it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: Any = None

    def open(self) -> None:
        """Create the folder and lock it for this process; the kernel unlocks it however the process ends.

        :raises AgentError: when it cannot be used, or another agent uses it.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = open(self.folder / "lock", "a+", encoding="ascii", opener=_private)  # noqa: SIM115 - held
        except OSError as error:
            raise AgentError(
                f"Cannot write to {self.folder}: {error.strerror}. Choose a folder with --state, or run as its owner."
            ) from None
        try:
            _lock(self._lock)
        except OSError:
            raise AgentError(f"Another agent uses {self.folder}. Choose another folder with --state.") from None

    def close(self) -> None:
        """Unlock the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def host(self) -> str:
        """Return this host's id, created at the first call."""
        return self._secret("host", 16)

    def key(self) -> str:
        """Return this host's key, created at the first call."""
        return self._secret("key", 32)

    def known_host(self) -> str:
        """Return the id, "" when there is none yet."""
        with suppress(OSError, ValueError):
            return (self.folder / "host").read_text(encoding="ascii").strip()
        return ""

    def _secret(self, name: str, size: int) -> str:
        file = self.folder / name
        try:
            if not file.exists():
                self.write(name, os.urandom(size).hex() + "\n")
            elif stat.S_IMODE(file.stat().st_mode) & 0o077:
                log.warning("Other users of this machine could read %s; the file is private now.", file)
                file.chmod(0o600)
            text = file.read_text(encoding="ascii", errors="replace").strip()
        except OSError as error:
            raise AgentError(f"Cannot use {file}: {error.strerror}. Run the agent as the owner of the file.") from None
        if not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", text):
            raise AgentError(f"{file} does not hold {2 * size} hex digits. Remove it to make this a new host.")
        return text

    def write(self, name: str, text: str) -> None:
        """Write a file whole or not at all."""
        new = self.folder / f"{name}.new"
        with suppress(FileNotFoundError):
            new.unlink()
        with open(new, "x", encoding="utf-8", opener=_private) as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        new.replace(self.folder / name)

    def read_config(self) -> Config | None:
        """Return the configuration of the last run, None when no hub has accepted this host yet."""
        with suppress(OSError, ValueError):
            return Config.parse(json.loads((self.folder / "config.json").read_text(encoding="utf-8")))
        return None

    def write_config(self, config: Config) -> None:
        """Keep a configuration for the next start, in case the hub is away then."""
        try:
            self.write("config.json", json.dumps(config.as_json()) + "\n")
        except OSError as error:
            log.warning("Cannot keep the configuration in %s: %s", self.folder, error.strerror)

    def take_unsent(self) -> str:
        """Return the reports that the last run could not upload, and remove their file."""
        file = self.folder / "unsent"
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        file.unlink()
        return text

    def keep_unsent(self, text: str, count: int) -> None:
        """Keep reports for the next start."""
        try:
            self.write("unsent", text)
            log.info("Kept %d reports for the next start.", count)
        except OSError as error:
            log.warning("%d reports are lost: cannot write to %s: %s", count, self.folder, error.strerror)


def _lock(handle: Any) -> None:
    """Lock a file for this process, where the system has such locks (Windows has not).

    :raises OSError: when another process has it.
    """
    with suppress(ImportError):
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
