"""The library's configuration: every ``WAMP_*`` key, read once in ``init_app``: from the app's config, else from the
environment.

Each field of :class:`Config` is one key: ``call_timeout`` is ``WAMP_CALL_TIMEOUT``. docs/configuration.md
describes them for users; a test holds the two together.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from . import uris
from .errors import ConfigError, InvalidURI
from .outgoing import Allowed
from .serving import Serving
from .ticket_key import ensure_key

MIN_SECRET = 16
"""Characters of a ticket secret, at least."""

PAGES_PORT = 8080

RELEASE_MAX = 100
"""Characters of a release's name."""

SOCKET_MESSAGE_MAX = 1_048_576
"""Bytes of a message that our router takes on its socket."""

Bounds = tuple[float, float]


def _number(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"bounds": (low, high)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The values of one app's ``WAMP_*`` keys; times in seconds.

    :param url: the router: ``unix:<path>`` (rawsocket), ``rs://host:port``, ``ws://…`` or ``wss://…``.
    :param realm: the realm all of this app's sessions join.
    :param serve: which declarations this process serves (:mod:`wampflask.serving`); empty for all.
    :param ca: file of the certificates to trust at a ``wss:`` address, in PEM format; empty for the system's.
    :param interface: the address that the router listens on, for browsers and agents.
    :param bridge_allow: what the bridge's callbacks may reach inside the network: networks and hosts, with commas.
    :param bridge_window: seconds that the clocks of the bridge's clients may be off.
    :param database: where the library keeps its own few tables, as SQLAlchemy reads it (:mod:`wampflask.store`).
    :param release: what this deployment of the app is called, for operators; empty where it has no name.
    :param cron_zone: the time zone of ``@wamp.cron(hour=…)``.
    :param queue: what carries tasks to their workers: ``sqlite:///<path>`` or ``redis://…`` (:mod:`wampflask.tasks`).
    :param ticket_secret: what tickets are signed with; the router's plugin reads the same from the instance folder.
    """

    url: str
    realm: str
    ticket_secret: str = field(repr=False)
    database: str = field(default="", repr=False)
    queue: str = field(default="", repr=False)
    ca: str = ""
    bridge_allow: str = ""
    bridge_window: float = _number(300, 10, 3600)
    interface: str = "127.0.0.1"
    port: int = _number(8081, 1, 65535)
    public_url: str = ""
    client_url: str = ""
    serve: str = ""
    release: str = ""
    origins: str = ""
    ticket_lifetime: float = _number(60, 1, 3600)
    call_timeout: float = _number(10, 0.01, 3600)
    publish_timeout: float = _number(5, 0.01, 3600)
    connect_timeout: float = _number(10, 0.1, 600)
    reconnect_max: float = _number(1, 0.05, 300)
    latest_interval: float = _number(0.1, 0.01, 60)
    latest_max: int = _number(10_000, 1, 10_000_000)
    outbox_max: int = _number(10_000, 1, 10_000_000)
    in_flight_max: int = _number(1_000, 1, 1_000_000)
    message_max: int = _number(65_536, 1_024, 16_777_216)
    handler_threads: int = _number(8, 1, 256)
    handler_queue: int = _number(1_000, 0, 1_000_000)
    live_threads: int = _number(2, 1, 64)
    cron_threads: int = _number(4, 0, 64)
    cron_zone: str = "UTC"
    stop_timeout: float = _number(1.2, 0, 60)
    task_lease: float = _number(10, 1, 3600)
    task_keep: float = _number(604_800, 60, 315_360_000)
    rate_limit: float = _number(50, 0, 1_000_000)
    rate_burst: float = _number(500, 1, 1_000_000)
    rate_limit_bytes: float = _number(262_144, 0, 1_000_000_000)
    rate_burst_bytes: float = _number(4_194_304, 65_536, 1_000_000_000)
    unread_max: int = _number(4_194_304, 2_097_152, 268_435_456)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], instance: Path) -> Config:
        """Read the ``WAMP_*`` keys of ``values``; text is taken where a number is meant, as from the environment.

        :param instance: the app's instance folder, where the defaults of ``WAMP_URL`` and ``WAMP_TICKET_SECRET`` are.
        :raises ConfigError: naming the first key with a wrong value, and every unknown ``WAMP_`` key.
        """
        given = {key: value for key, value in values.items() if key.startswith("WAMP_")}
        known = {key_of(item.name): item for item in fields(cls)}
        if unknown := sorted(set(given) - set(known)):
            raise ConfigError(f"Unknown configuration: {', '.join(unknown)}. docs/configuration.md lists the keys.")
        numbers: dict[str, Any] = {
            item.name: _read_number(key, given[key], item.type, item.metadata["bounds"])
            for key, item in known.items()
            if key in given and "bounds" in item.metadata
        }
        return cls(
            url=_read_url(given.get("WAMP_URL") or f"unix:{instance / 'crossbar' / 'backend.sock'}"),
            realm=_read_realm(given.get("WAMP_REALM", "wampflask")),
            ticket_secret=_read_secret(given.get("WAMP_TICKET_SECRET"), instance),
            database=_read_database(given.get("WAMP_DATABASE"), values.get("SQLALCHEMY_DATABASE_URI"), instance),
            queue=_read_queue(given.get("WAMP_QUEUE"), instance),
            ca=_read_ca(given.get("WAMP_CA", "")),
            bridge_allow=_read_allowed(given.get("WAMP_BRIDGE_ALLOW", "")),
            interface=_read_interface(given.get("WAMP_INTERFACE") or "127.0.0.1"),
            public_url=_read_public_url(given.get("WAMP_PUBLIC_URL", "")),
            client_url=_read_client_url(given.get("WAMP_CLIENT_URL", "")),
            serve=_read_serve(str(given.get("WAMP_SERVE", ""))),
            release=_read_release(str(given.get("WAMP_RELEASE", ""))),
            origins=str(given.get("WAMP_ORIGINS", "")),
            cron_zone=_read_zone(given.get("WAMP_CRON_ZONE") or "UTC"),
            **numbers,
        )

    @property
    def listens_on_loopback(self) -> bool:
        """Whether only programs of this machine reach the router."""
        return ip_address(self.interface).is_loopback


def environment(*prefixes: str) -> dict[str, str]:
    """Return the environment's keys that begin with ``prefixes``; an empty value counts as none."""
    return {key: value for key, value in os.environ.items() if value and key.startswith(prefixes)}


def pages_port(values: Mapping[str, Any]) -> int:
    """Return the port of the pages: ``PORT`` of ``values``, else of the environment, else 8080.

    :raises ConfigError: it is not a port.
    """
    value = values.get("PORT") or os.environ.get("PORT") or PAGES_PORT
    return int(_read_number("PORT", value, int, (1, 65535)))


def key_of(name: str) -> str:
    """Return the configuration key of a field of :class:`Config`."""
    return f"WAMP_{name.upper()}"


def _read_number(key: str, value: Any, kind: Any, bounds: Bounds) -> float:
    whole = kind in (int, "int")
    try:
        number = int(str(value)) if whole else float(str(value))
    except ValueError:
        raise ConfigError(f"{key}={value!r} is not a{' whole' if whole else ''} number.") from None
    low, high = bounds
    if not low <= number <= high:
        raise ConfigError(f"{key}={value!r} is not between {low:g} and {high:g}.")
    return number


def _read_url(url: str) -> str:
    parts = urlsplit(str(url))
    usable = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in ("unix", "rs", "ws", "wss") or not usable or (parts.scheme == "rs" and not parts.port):
        raise ConfigError(
            f"WAMP_URL={url!r} is not a router's address: use unix:/path/to/socket, rs://host:port, "
            "ws://host:port/path or wss://…"
        )
    if parts.scheme == "wss" and find_spec("OpenSSL") is None:
        raise ConfigError(f"WAMP_URL={url!r} needs TLS: pip install 'twisted[tls]'.")
    return str(url)


def _read_ca(file: Any) -> str:
    try:
        if file:
            ssl.create_default_context(cafile=str(file))
    except (OSError, ValueError) as error:  # a file without a certificate is an SSLError, which is an OSError
        raise ConfigError(f"WAMP_CA={file!r} is not a file of certificates in PEM format: {error}") from None
    return str(file)


def _read_allowed(named: Any) -> str:
    try:
        Allowed.parse(str(named))
    except ValueError as error:
        raise ConfigError(f"WAMP_BRIDGE_ALLOW={named!r}: {error}") from None
    return str(named)


def _read_database(given: Any, of_app: Any, instance: Path) -> str:
    """Return the given URL, or that of the app's database server, or of a file in the instance folder."""
    default = f"sqlite:///{instance / 'wamp.db'}"
    url = str(given or (default if str(of_app or "sqlite").startswith("sqlite") else of_app))
    if "://" not in url:
        raise ConfigError(f"WAMP_DATABASE={url!r} is not a database's address, such as postgresql+psycopg://host/name.")
    if url.startswith("sqlite") and (url.endswith("://") or ":memory:" in url):
        raise ConfigError(f"WAMP_DATABASE={url!r} is in memory, where other workers cannot see it: name a file.")
    return url


def _read_queue(given: Any, instance: Path) -> str:
    """Return the given URL, or that of a file in the instance folder. It is not shown: it may hold a password."""
    url = str(given or f"sqlite:///{quote(str(instance / 'tasks.db'))}")
    parts = urlsplit(url)
    try:
        usable = parts.path.strip("/") if parts.scheme == "sqlite" else parts.hostname and parts.port != 0
    except ValueError:  # a port that isn't a number
        usable = False
    if not usable or parts.scheme not in ("sqlite", "redis", "rediss"):
        raise ConfigError("WAMP_QUEUE is not the address of a queue: use sqlite:////path/to/file or redis://host:port.")
    if parts.scheme != "sqlite" and find_spec("redis") is None:
        raise ConfigError("WAMP_QUEUE names Redis, whose client is not installed: pip install redis.")
    return url


def _read_interface(interface: Any) -> str:
    try:
        return str(ip_address(str(interface)))
    except ValueError:
        raise ConfigError(
            f"WAMP_INTERFACE={interface!r} is not an address of this machine: use 127.0.0.1 for this machine alone, "
            "0.0.0.0 for every network."
        ) from None


def _read_zone(name: Any) -> str:
    try:
        ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f"WAMP_CRON_ZONE={name!r} is not a time zone that this machine knows: write it like Europe/Paris. "
            "If it is right, pip install tzdata."
        ) from None
    return str(name)


def _read_public_url(url: str) -> str:
    if url and urlsplit(str(url)).scheme not in ("ws", "wss"):
        raise ConfigError(f"WAMP_PUBLIC_URL={url!r} must begin with ws:// or wss://, or be empty.")
    return str(url)


def _read_client_url(url: str) -> str:
    if url and urlsplit(str(url)).scheme not in ("http", "https"):
        raise ConfigError(f"WAMP_CLIENT_URL={url!r} must begin with https:// or http://, or be empty.")
    return str(url)


def _read_serve(terms: str) -> str:
    Serving.parse(terms)
    return terms


def _read_release(name: str) -> str:
    if len(name) > RELEASE_MAX or not name.isprintable():
        raise ConfigError(f"WAMP_RELEASE={name!r} is not a name of at most {RELEASE_MAX} characters.")
    return name


def _read_realm(realm: str) -> str:
    try:
        return uris.check(realm)
    except InvalidURI as error:
        raise ConfigError(f"WAMP_REALM={realm!r}: {error}") from None


def _read_secret(secret: Any, instance: Path) -> str:
    """Return the given secret, or the one in the instance folder, where the router's plugin reads it too."""
    if secret and (not isinstance(secret, str) or len(secret) < MIN_SECRET):
        raise ConfigError(f"WAMP_TICKET_SECRET must be text of {MIN_SECRET} characters or more.")
    if secret:
        return str(secret)
    try:
        return ensure_key(instance)
    except OSError as error:
        raise ConfigError(
            f"The ticket secret cannot be kept in {instance} ({error.strerror}): "
            "make the folder writable, or set WAMP_TICKET_SECRET."
        ) from None
