"""The site's configuration: every ``WAMPFLASK_*`` key, and what it means for Flask's extensions.

Later places win: ``<instance>/config.py``, the environment, the mapping given to ``create_app``. ``WAMP_*`` keys come
the same way and are the library's. Wrong values are refused at the start, by name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from flask import Config
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from wampflask import ConfigError
from wampflask.config import environment

from .counts import SCHEME as COUNTS
from .instance import prepare, read_secrets
from .rates import read_rates

KEYS = {
    "WAMPFLASK_DATABASE_URL": "",  # default: SQLite in the instance folder
    "WAMPFLASK_SECRET_KEY": "",  # default: generated, in the instance folder
    "WAMPFLASK_PUBLIC_URL": "",  # how phones reach the pages, for QR codes; default: this machine's LAN address
    "WAMPFLASK_HOSTS": "",  # the names that this site is reached by; default: PUBLIC_URL's, and any where that is empty
    "WAMPFLASK_COOKIE_SECURE": "0",  # 1: cookies over https only
    "WAMPFLASK_PROXIES": "0",  # how many reverse proxies in front set X-Forwarded-*
    "WAMPFLASK_LOGIN_ATTEMPTS": "10 per minute; 60 per hour",  # failed ones for an account, from one address
    "WAMPFLASK_BODY_MAX": "262144",  # bytes of a request
    "WAMPFLASK_MEDIA_MAX": "536870912",  # bytes of a file that an admin uploads for the player
    "WAMPFLASK_CLIENT_TIMEOUT": "10",  # seconds that a client has for a request, and for taking the answer
    "WAMPFLASK_CLIENT_RATE": "10000",  # bytes that give it one second more
    "WAMPFLASK_CHAT_RATE": "30 per minute",  # messages of one person, over all workers
    "WAMPFLASK_RELEASE": "",  # which release of the pages this is; default: a digest of what pages are made of
    "WAMPFLASK_BUNDLES": "1",  # 0: pages load the single files of static/ although there is a build
    "WAMPFLASK_METRICS_TOKEN": "",  # what Prometheus sends for /metrics; default: admins alone may look
}
_OF_OTHERS = (  # read by commands
    "WAMPFLASK_ADMIN_PASSWORD",
    "WAMPFLASK_CROSSBAR",
    "WAMPFLASK_CROSSBAR_WHOLE",
    "WAMPFLASK_LOCAL_AGENT",
    "WAMPFLASK_USER_PASSWORD",
)

RATES = ("WAMPFLASK_LOGIN_ATTEMPTS", "WAMPFLASK_CHAT_RATE")
"""Used by live settings, which they set for good."""
COUNTS_FILE = "limits.db"
SECRET_MIN = 16
BODY_MAX_LIMITS = (16_384, 1_073_741_824)
MEDIA_MAX_LIMITS = (1_024, 1_099_511_627_776)
CLIENT_TIMEOUT_LIMITS = (1, 600)
CLIENT_RATE_LIMITS = (100, 1_000_000_000)
PROXIES_LIMITS = (0, 10)


class SiteConfig(NamedTuple):
    """The checked values of the ``WAMPFLASK_*`` keys."""

    database_url: str
    secret_key: str
    public_url: str
    hosts: frozenset[str]
    cookie_secure: bool
    proxies: int
    body_max: int
    media_max: int
    client_timeout: int
    client_rate: int
    release: str
    bundles: bool
    metrics_token: str


def instance_folder(given: Mapping[str, Any] | None = None) -> Path:
    """Return the instance folder, ``INSTANCE`` of the mapping or the environment, else ``./instance``; create it."""
    named = (given or {}).get("INSTANCE") or os.environ.get("INSTANCE") or "instance"
    folder = Path(named).absolute()
    prepare(folder)
    return folder


def load(config: Config, folder: Path, given: Mapping[str, Any] | None = None) -> SiteConfig:
    """Fill ``config`` from all places and return the site's own values.

    :raises ConfigError: naming the first key with a wrong value.
    """
    secrets = read_secrets(folder)
    config.from_pyfile(str(folder / "config.py"), silent=True)
    config.update(environment("WAMP_", "WAMPFLASK_"))
    config.update(given or {})
    site = _read({**KEYS, **{key: value for key, value in config.items() if key.startswith("WAMPFLASK_")}}, folder)
    settings = {**_fixed(), **_derived(site, folder, secrets)}
    config.update({key: value for key, value in settings.items() if key not in (given or {})})
    return site


def _read(values: Mapping[str, Any], folder: Path) -> SiteConfig:
    if unknown := sorted(set(values) - set(KEYS) - set(_OF_OTHERS)):
        raise ConfigError(f"Unknown configuration: {', '.join(unknown)}. docs/configuration.md lists the keys.")
    for key in RATES:
        _check_rate(key, values[key])
    return SiteConfig(
        database_url=_database_url(values["WAMPFLASK_DATABASE_URL"], folder),
        secret_key=_secret("WAMPFLASK_SECRET_KEY", values["WAMPFLASK_SECRET_KEY"]),
        public_url=_public_url(values["WAMPFLASK_PUBLIC_URL"]),
        hosts=_hosts(values["WAMPFLASK_HOSTS"], values["WAMPFLASK_PUBLIC_URL"]),
        cookie_secure=_boolean("WAMPFLASK_COOKIE_SECURE", values["WAMPFLASK_COOKIE_SECURE"]),
        proxies=_whole("WAMPFLASK_PROXIES", values["WAMPFLASK_PROXIES"], PROXIES_LIMITS),
        body_max=_whole("WAMPFLASK_BODY_MAX", values["WAMPFLASK_BODY_MAX"], BODY_MAX_LIMITS),
        media_max=_whole("WAMPFLASK_MEDIA_MAX", values["WAMPFLASK_MEDIA_MAX"], MEDIA_MAX_LIMITS),
        client_timeout=_whole("WAMPFLASK_CLIENT_TIMEOUT", values["WAMPFLASK_CLIENT_TIMEOUT"], CLIENT_TIMEOUT_LIMITS),
        client_rate=_whole("WAMPFLASK_CLIENT_RATE", values["WAMPFLASK_CLIENT_RATE"], CLIENT_RATE_LIMITS),
        release=str(values["WAMPFLASK_RELEASE"]),
        bundles=_boolean("WAMPFLASK_BUNDLES", values["WAMPFLASK_BUNDLES"]),
        metrics_token=_secret("WAMPFLASK_METRICS_TOKEN", values["WAMPFLASK_METRICS_TOKEN"]),
    )


def _database_url(value: Any, folder: Path) -> str:
    """Name psycopg 3, the installed driver, in the ``postgresql:`` and ``postgres:`` addresses of hosting providers."""
    given = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", str(value))
    url = given or f"sqlite:///{folder / 'wampflask.db'}"
    try:
        kind = make_url(url).get_backend_name()
    except ArgumentError:
        kind = ""
    if kind not in ("sqlite", "postgresql"):
        # The value is not shown: it may hold a password.
        raise ConfigError(
            "WAMPFLASK_DATABASE_URL is not an address of SQLite or PostgreSQL: "
            "use sqlite:////absolute/path.db or postgresql://user:password@host/name."
        )
    return url


def _secret(key: str, value: Any) -> str:
    if value and (not isinstance(value, str) or len(value) < SECRET_MIN):
        raise ConfigError(f"{key} must have {SECRET_MIN} characters or more.")
    return str(value)


def _public_url(value: Any) -> str:
    parts = urlsplit(str(value))
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ConfigError(f"WAMPFLASK_PUBLIC_URL={value!r} must begin with http:// or https:// and name a host.")
    return str(value).rstrip("/")


def _hosts(value: Any, public_url: Any) -> frozenset[str]:
    """Return names without ports; when there are none, every name is accepted."""
    names = str(value).split()
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", name):
            raise ConfigError(
                f"WAMPFLASK_HOSTS: {name!r} is not a host name. Write names without http:// and ports, "
                "separated by spaces: polls.example www.polls.example"
            )
    public = urlsplit(str(public_url)).hostname
    return frozenset([*(name.strip("[]").lower() for name in names), *([public] if public else [])])


def _boolean(key: str, value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ConfigError(f"{key}={value!r} must be 1 or 0.") from None


def _whole(key: str, value: Any, limits: tuple[int, int]) -> int:
    low, high = limits
    try:
        number = int(str(value))
    except ValueError:
        raise ConfigError(f"{key}={value!r} is not a whole number.") from None
    if not low <= number <= high:
        raise ConfigError(f"{key}={value!r} is not between {low} and {high}.")
    return number


def _check_rate(key: str, value: Any) -> None:
    try:
        read_rates(str(value))
    except ValueError as error:
        raise ConfigError(f"{key}={error}") from None


def _derived(site: SiteConfig, folder: Path, secrets: Mapping[str, str]) -> dict[str, Any]:
    return {
        "SQLALCHEMY_DATABASE_URI": site.database_url,
        "SECRET_KEY": site.secret_key or secrets["SECRET_KEY"],
        "SECURITY_PASSWORD_SALT": secrets["SECURITY_PASSWORD_SALT"],
        "SESSION_COOKIE_SECURE": site.cookie_secure,
        "REMEMBER_COOKIE_SECURE": site.cookie_secure,
        "RATELIMIT_STORAGE_URI": f"{COUNTS}://{quote(str(folder / COUNTS_FILE))}",
        "MAX_CONTENT_LENGTH": site.body_max,
        "MAX_FORM_MEMORY_SIZE": site.body_max,
    }


def _fixed() -> dict[str, Any]:
    return {
        # Two copies of the site on one host have different ports, and cookies know no ports: the library's
        # visitor cookie is signed, and a copy does not accept the other's.
        "SESSION_COOKIE_NAME": "wampflask_session",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "REMEMBER_COOKIE_NAME": "wampflask_remember",
        "REMEMBER_COOKIE_DURATION": timedelta(days=30),
        "REMEMBER_COOKIE_HTTPONLY": True,
        "REMEMBER_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,  # a form left open overnight is not an attack: the token ends with the session
        "RATELIMIT_HEADERS_ENABLED": True,
        "MAX_FORM_PARTS": 500,
        "SECURITY_URL_PREFIX": None,
        "SECURITY_CHANGEABLE": True,
        "SECURITY_REGISTERABLE": False,
        "SECURITY_SEND_PASSWORD_CHANGE_EMAIL": False,
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_PASSWORD_SCHEMES": ["argon2"],
        "SECURITY_PASSWORD_SINGLE_HASH": ["argon2"],
        "SECURITY_PASSWORD_LENGTH_MIN": 10,
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_API_ENABLED_METHODS": ["session"],
        "SECURITY_LOGOUT_CSRF": True,
        "SECURITY_LOGOUT_METHODS": ["POST"],
        "SECURITY_STATIC_FOLDER": None,
        "SECURITY_CACHE_CONTROL": None,  # its default is not a valid header; headers.py decides what may be cached
        "SECURITY_TOKEN_MAX_AGE": 1,
        "FLASK_ADMIN_FLUID_LAYOUT": True,
    }
