"""Crossbar's configuration, made from what the app declares. Pure: nothing is read or written here.

The same function makes the committed ``.crossbar/config.json``, each instance's node, and the nodes of tests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wampflask.config import SOCKET_MESSAGE_MAX
from wampflask.permissions import ANONYMOUS, BACKEND, Permission, compile_rules
from wampflask.plugin.rules import ACTIONS, PROCEDURE
from wampflask.plugin.tickets import TICKETED

PLUGIN_PATH = Path(__file__).resolve().parent / "pythonpath"
TITLE = "wampflask router"  # of the worker process, as ps shows it
MAX_SOCKET_PATH = 107  # bytes, Linux's sun_path

LOCAL_HOSTS = ("localhost", "127.0.0.1")

Config = dict[str, Any]

_ORIGIN = re.compile(r"(https?)://[a-z0-9.*-]+(:(?:\d+|\*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Realm:
    """One realm of a node. Paths are absolute, or relative to the node's folder.

    :param permissions: everything that roles other than backend may do.
    :param secret: file of the ticket secret.
    :param revoked: file of the revocations.
    :param blocked: file of the blocks.
    :param ticket_lifetime: seconds.
    :param roles: that tickets can have, besides backend.
    :param follow_workers: workers may change the permissions; else they are what they are here.
    """

    name: str = "wampflask"
    permissions: tuple[Permission, ...] = ()
    secret: str = "../ticket.key"  # noqa: S105 - a path
    revoked: str = "../revoked"
    blocked: str = "../blocked"
    ticket_lifetime: float = 60.0
    roles: tuple[str, ...] = TICKETED
    follow_workers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a node is made of.

    :param socket: the workers' unix socket.
    :param port: TCP port of browsers and agents.
    :param interface: address to listen on; ``0.0.0.0`` for every network.
    :param origins: pages that may connect, such as ``https://polls.example`` or ``http://*:8080``.
    :param plugin_path: the folder in which Crossbar finds the package ``plugin``.
    :param remote_backend: Flask workers may join over ``port`` too (for workers on other machines).
    :param max_message: bytes of a message from a browser.
    :param max_connections: open at once on ``port``.
    :param ping_interval: seconds between pings to browsers; who does not answer one within ``ping_timeout`` is
        closed. Both 1 or more.
    :param join_timeout: seconds until a connection without a session is closed.
    :param rate: actions a second of an untrusted client's session, after a first ``burst``; 0 for no limit.
    :param byte_rate: bytes a second that such a session may send, after a first ``byte_burst``; 0 for no limit.
    :param max_unread: bytes that such a session may leave unread; it is closed for more.
    :param max_backend_unread: the same for a Flask worker.
    :param max_total_unread: bytes that all untrusted sessions together may leave unread; beyond it, the one furthest
        behind is closed.
    :param tune: replace autobahn's colouring in the router (about twice the deliveries a second).
    :param fan_out: frame an event once for all who get it, and write it to all in a row (again about twice).
    """

    realms: tuple[Realm, ...] = field(default_factory=lambda: (Realm(),))
    socket: str = "backend.sock"
    port: int = 8081
    interface: str = "127.0.0.1"
    origins: tuple[str, ...] = ("http://*:8080",)
    plugin_path: str = str(PLUGIN_PATH)
    remote_backend: bool = False
    max_message: int = 65536
    max_backend_message: int = SOCKET_MESSAGE_MAX
    max_connections: int = 20_000
    max_backend_connections: int = 500
    ping_interval: float = 10.0
    ping_timeout: float = 5.0
    join_timeout: float = 10.0
    rate: float = 50.0
    burst: float = 500.0
    byte_rate: float = 262144.0
    byte_burst: float = 4194304.0
    max_unread: int = 4194304
    max_backend_unread: int = 67108864
    max_total_unread: int = 268435456
    tune: bool = True
    fan_out: bool = True


def render(node: Node) -> Config:
    """Return the configuration of ``node``.

    :raises ValueError: for permissions that contradict each other or name a role that their realm does not have,
        realms of the same name, or a wrong origin.
    """
    if len({realm.name for realm in node.realms}) != len(node.realms):
        raise ValueError("Two realms of a node have the same name.")
    return {
        "version": 2,
        "controller": {},
        "workers": [
            {
                "type": "router",
                "id": "wampflask",
                "options": {"title": TITLE, "pythonpath": [node.plugin_path]},
                "realms": [_realm(realm) for realm in node.realms],
                "components": [_component(node, realm, nr) for nr, realm in enumerate(node.realms, 1)],
                "transports": [_worker_transport(node), _web_transport(node)],
            }
        ],
    }


def to_json(config: Mapping[str, Any]) -> str:
    """Return the text of the configuration file; the same configuration is always the same text."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def origins_for(*, port: int, public_url: str = "", local: bool = False) -> tuple[str, ...]:
    """Return the origins of the app's own pages.

    :param port: of the pages.
    :param public_url: the router's address as browsers see it, if it is fixed;
        a front server that has both then serves the pages under the same name.
    :param local: pages of this machine may be at any port, as in development.
    """
    origins = [f"http://*:{port}"]
    if local:
        origins += [f"http://{host}:*" for host in LOCAL_HOSTS]
    if public_url:
        parts = urlsplit(public_url)
        origins.append(f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.hostname}")
    return tuple(origins)


def _realm(realm: Realm) -> Config:
    roles = (*realm.roles, ANONYMOUS)
    for permission in realm.permissions:
        if unknown := {role for action in ACTIONS for role in permission.roles(action)} - set(roles):
            raise ValueError(f"{permission!r} names {', '.join(sorted(unknown))}; the roles are {', '.join(roles)}.")
    everything = {
        "uri": "",
        "match": "prefix",
        "allow": {"call": True, "register": True, "publish": True, "subscribe": True},
        "disclose": {"caller": True, "publisher": False},
        "cache": False,
    }
    return {
        "name": realm.name,
        "options": {"uri_check": "strict"},
        "roles": [
            {"name": BACKEND, "permissions": [everything]},
            *({"name": role, "authorizer": PROCEDURE} for role in roles),
        ],
    }


def _component(node: Node, realm: Realm, number: int) -> Config:
    return {
        "type": "class",
        "id": f"authorizer{number}",
        "classname": "plugin.authorizer.Authorizer",
        "realm": realm.name,
        "role": "trusted",
        "extra": {
            "rules": compile_rules(realm.permissions),
            "roles": [*realm.roles, *([ANONYMOUS] if _admits_anonymous(node) else [])],
            "follow_workers": realm.follow_workers,
            "rate_limit": {
                "actions": node.rate,
                "actions_burst": node.burst,
                "octets": node.byte_rate,
                "octets_burst": node.byte_burst,
            },
            "patches": {
                "colours": node.tune,
                "fan_out": node.fan_out,
                "join_timeout": node.join_timeout,
                "unread": {
                    "reader": node.max_unread,
                    "backend": node.max_backend_unread,
                    "total": node.max_total_unread,
                },
            },
        },
    }


def _worker_transport(node: Node) -> Config:
    return {
        "type": "rawsocket",
        "id": "workers",
        "endpoint": {"type": "unix", "path": node.socket},
        "serializers": ["json"],
        "options": {"max_message_size": node.max_backend_message},
        "max_connections": node.max_backend_connections,
        "auth": {"ticket": _ticket_auth("backends", node.realms)},
    }


def _web_transport(node: Node) -> Config:
    endpoint: Config = {"type": "tcp", "port": node.port, "interface": node.interface, "backlog": 1024}
    return {
        "type": "web",
        "id": "browsers",
        "endpoint": endpoint,
        "max_connections": node.max_connections,
        "options": {"client_timeout": 30},
        "paths": {"/": {"type": "path", "paths": {}}, "ws": _websocket(node)},
    }


def _websocket(node: Node) -> Config:
    auth: Config = {"ticket": _ticket_auth("everyone" if node.remote_backend else "clients", node.realms)}
    if _admits_anonymous(node):
        auth["anonymous"] = {"type": "static", "role": ANONYMOUS}
    return {
        "type": "websocket",
        "serializers": ["json"],
        "auth": auth,
        "options": {
            "allowed_origins": [with_port(origin) for origin in node.origins],
            "allow_null_origin": False,
            "enable_webstatus": False,
            "max_frame_size": node.max_message,
            "max_message_size": node.max_message,
            "open_handshake_timeout": 5000,
            "close_handshake_timeout": 2000,
            "auto_ping_interval": round(node.ping_interval * 1000),
            "auto_ping_timeout": round(node.ping_timeout * 1000),
            "auto_ping_size": 12,
            # a page that sends but never reads would otherwise stay, with all its events waiting in memory
            "auto_ping_restart_on_any_traffic": False,
            "fail_by_drop": True,
        },
    }


def with_port(origin: str) -> str:
    """Return an origin as Crossbar compares it: always with its port.

    :raises ValueError: it is none.
    """
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        raise ValueError(
            f"The origin {origin!r} is not of the form https://host or https://host:port; * may stand in both."
        )
    return origin if found[2] else f"{origin}:{443 if found[1] == 'https' else 80}"


def _ticket_auth(create: str, realms: Iterable[Realm]) -> Config:
    gates = {
        realm.name: {
            "secret": realm.secret,
            "revoked": realm.revoked,
            "blocked": realm.blocked,
            "lifetime": realm.ticket_lifetime,
            "roles": list(realm.roles),
        }
        for realm in realms
    }
    return {"type": "function", "create": f"plugin.authenticators.{create}", "config": {"realms": gates}}


def _admits_anonymous(node: Node) -> bool:
    return any(ANONYMOUS in permission.roles(action) for permission, action in _grants(node.realms))


def _grants(realms: Iterable[Realm]) -> Iterable[tuple[Permission, str]]:
    for realm in realms:
        for permission in realm.permissions:
            for action in ("call", "register", "publish", "subscribe"):
                yield permission, action
