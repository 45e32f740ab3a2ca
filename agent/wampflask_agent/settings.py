"""How this agent was started: options, environment, files."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from .buffer import BUFFER_BYTES
from .errors import AgentError
from .text import clean, describe

ENVIRONMENT = "WAMPFLASK_AGENT_"
CONFIG_FILES = ("/etc/wampflask-agent.conf", "~/.config/wampflask-agent.conf")
SETTINGS = ("server", "token", "state", "name", "root", "buffer")


class Settings(NamedTuple):
    """How this agent was started: each from the command line, else the environment, else a file."""

    server: str
    token: str
    state: Path
    name: str
    root: str
    buffer: int

    @classmethod
    def gather(cls, options: Mapping[str, str | None], env: Mapping[str, str]) -> Settings:
        """Gather the settings.

        :raises AgentError: for a file that cannot be read, or a wrong value.
        """
        given = {
            **_read_files(options.get("config") or env.get(f"{ENVIRONMENT}CONFIG")),
            **{name: env[key] for name in SETTINGS if (key := ENVIRONMENT + name.upper()) in env},
            **{name: value for name in SETTINGS if (value := options.get(name))},
        }
        return cls(
            server=normal_server(given.get("server", "")),
            token=given.get("token", "").strip(),
            state=Path(given.get("state") or default_state(env)).expanduser().absolute(),
            name=clean(given.get("name") or socket.gethostname()),
            root=given.get("root", "").rstrip("/"),
            buffer=_buffer_bytes(given.get("buffer", "")),
        )


def _read_files(chosen: str | None) -> dict[str, str]:
    """Return the settings in the chosen file, or in those of :data:`CONFIG_FILES` that exist."""
    found: dict[str, str] = {}
    for name in (chosen,) if chosen else CONFIG_FILES:
        file = Path(name).expanduser()
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            if chosen:
                raise AgentError(f"There is no file {file}; --config names it.") from None
            continue
        except (OSError, ValueError) as error:
            raise AgentError(f"Cannot read {file}: {describe(error)}") from None
        found.update(parse_settings(text, str(file)))
    return found


def parse_settings(text: str, file: str) -> dict[str, str]:
    """Read lines ``name = value``; ``#`` begins a comment line.

    :raises AgentError: naming the line that is something else.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        name, equals, value = bare.partition("=")
        if not equals or name.strip() not in SETTINGS:
            raise AgentError(f"{file}, line {number}: write one of {', '.join(SETTINGS)}, then = and its value.")
        found[name.strip()] = value.strip().strip("\"'")
    return found


def normal_server(text: str) -> str:
    """Return the hub's address with a scheme and without a slash at the end; "" stays.

    :raises AgentError: when it is not an address.
    """
    if not text:
        return ""
    address = text if "://" in text else f"http://{text}"
    if not _is_server(address):
        raise AgentError(f"--server {text} is not a hub's address; write it like http://hub:8080")
    return address.rstrip("/")


def _is_server(address: str) -> bool:
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(good) and not (parts.username or parts.query or parts.fragment)


def _buffer_bytes(text: str) -> int:
    if not text:
        return BUFFER_BYTES
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 0.1 <= size <= 1024:  # noqa: PLR2004 - MiB
        raise AgentError(f"--buffer {text} is not a size: write MiB, from 0.1 to 1024.")
    return int(size * 1024 * 1024)


def default_state(env: Mapping[str, str]) -> str:
    """Return the folder for identity and key where none is set."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return "/var/lib/wampflask-agent"
    return str(Path(env.get("XDG_STATE_HOME") or "~/.local/state") / "wampflask-agent")
