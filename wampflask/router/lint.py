"""Rules for Crossbar configurations, ours and others': what Crossbar accepts, and one should not run.

Each check is a generator of :class:`Problem`; :func:`lint` runs them all. ``docs/router.md`` has the reasons.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from wampflask.permissions import ANONYMOUS, BACKEND
from wampflask.plugin.rules import ACTIONS, PROCEDURE, RESERVED
from wampflask.plugin.tickets import NEVER

from .render import LOCAL_HOSTS, MAX_SOCKET_PATH

MAX_BROWSER_MESSAGE = 2**20
SERVICES = ("websocket", "path", "static", "json", "redirect")

AUTHORIZER = "plugin.authorizer.Authorizer"

Data = Mapping[str, Any]

_ORIGIN = re.compile(rf"https?://[^/]+:\d+|http://({'|'.join(map(re.escape, LOCAL_HOSTS))}):\*")

OF_LIVE_THINGS = ("wampflask.fragments.", "wampflask.live.fetch", "wampflask.live.worker_lost")
"""What the library itself permits below its reserved word; see ``Permission.of_library``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """``where`` in the configuration, and ``what`` to change."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def lint(config: Data) -> list[Problem]:
    """Return everything wrong with ``config``; empty when it is sound."""
    workers = config.get("workers") or []
    if not workers:
        return [Problem("workers", "there is no worker")]
    return list(chain.from_iterable(_worker(f"workers[{nr}]", worker) for nr, worker in enumerate(workers)))


def _worker(where: str, worker: Data) -> Iterator[Problem]:
    if worker.get("type") != "router":
        yield Problem(where, f"is of type {worker.get('type')!r}: run Crossbar as a router alone; it restarts no guest")
        return
    asked = {item.get("realm") for item in worker.get("components", ()) if _is_authorizer(item)}
    for number, realm in enumerate(worker.get("realms", ())):
        yield from _realm(f"{where}.realms[{number}]", realm, guarded=realm.get("name") in asked)
    roles = {
        realm.get("name"): [role.get("name") for role in realm.get("roles", ())] for realm in worker.get("realms", ())
    }
    for number, component in enumerate(worker.get("components", ())):
        yield from _component(f"{where}.components[{number}]", component, roles.get(component.get("realm"), []))
    for number, transport in enumerate(worker.get("transports", ())):
        yield from _transport(f"{where}.transports[{number}]", transport)


def _is_authorizer(component: Data) -> bool:
    return component.get("classname") == AUTHORIZER


# realms and roles


def _realm(where: str, realm: Data, *, guarded: bool) -> Iterator[Problem]:
    if realm.get("options", {}).get("uri_check") != "strict":
        yield Problem(where, 'must have "options": {"uri_check": "strict"}')
    if "store" in realm:
        yield Problem(where, "has a store: its event history duplicates and leaks; keep yours in the database")
    if realm.get("rlinks"):
        yield Problem(where, "has rlinks: they lose errors and events")
    for number, role in enumerate(realm.get("roles", ())):
        yield from _role(f"{where}.roles[{number}]", role, guarded=guarded)


def _role(where: str, role: Data, *, guarded: bool) -> Iterator[Problem]:
    name = role.get("name")
    for number, grant in enumerate(role.get("permissions", ())):
        if name != BACKEND:
            yield from _grant(f"{where}.permissions[{number}]", grant)
    if name == BACKEND:
        return
    if name in NEVER and name != ANONYMOUS:
        yield Problem(where, f"is named {name!r}, which is a role of Crossbar's own")
    if "permissions" not in role and (role.get("authorizer") != PROCEDURE or not guarded):
        yield Problem(where, f"{name} must be guarded by {PROCEDURE}, and {AUTHORIZER} be in this realm")


def _grant(where: str, grant: Data) -> Iterator[Problem]:
    """Yield what is wrong with a static permission: Crossbar's own ignore the match policy of subscriptions."""
    uri, match, allowed = str(grant.get("uri", "")), grant.get("match"), grant.get("allow", {})
    if uri.endswith("*"):
        uri, match = uri[:-1], "prefix"
    if not any(allowed.values()):
        return
    if match == "wildcard" or not uri or uri.split(".", 1)[0] in RESERVED:
        yield Problem(where, f"grants {uri!r}, which reaches wamp.*: give untrusted clients only the URIs of an app")
    if not uri.endswith("."):
        yield Problem(where, f"grants {uri!r}: without a dot at its end, prefix subscriptions hear longer names too")
    if grant.get("cache"):
        yield Problem(where, 'has "cache": true: its memory grows with each URI that an untrusted client invents')


# our component


def _component(where: str, component: Data, roles: Sequence[object]) -> Iterator[Problem]:
    if not _is_authorizer(component):
        yield Problem(where, f"runs {component.get('classname')!r} inside the router; only {AUTHORIZER} belongs there")
        return
    extra = component.get("extra") or {}
    for number, rule in enumerate(extra.get("rules", ())):
        yield from _rule(f"{where}.extra.rules[{number}]", rule, roles)
    if not extra.get("patches", {}).get("join_timeout"):
        yield Problem(where, "must have a join_timeout, or connections that never log in stay open")
    if not extra.get("rate_limit", {}).get("actions"):
        yield Problem(where, "must have a rate limit, or one page can keep the router busy alone")
    if not extra.get("patches", {}).get("unread", {}).get("reader"):
        yield Problem(where, "must bound what a reader leaves unread, or the router's memory fills up")


def _rule(where: str, rule: Data, roles: Sequence[object]) -> Iterator[Problem]:
    uri = str(rule.get("uri", ""))
    first = uri.split(".", 1)[0]
    if not uri.startswith(OF_LIVE_THINGS) and (not first or first in RESERVED or first[0] in "<{"):
        yield Problem(where, f"grants {uri!r}: a permission begins with a word of its app, never with wamp")
    if unknown := sorted({role for action in ACTIONS for role in rule.get(action, ()) if role not in roles}):
        yield Problem(where, f"names {', '.join(unknown)}; the roles of the realm are {', '.join(map(str, roles))}")
    if BACKEND in chain.from_iterable(rule.get(action, ()) for action in ACTIONS):
        yield Problem(where, f"names {BACKEND}, which may do everything without a rule")


# transports


def _transport(where: str, transport: Data) -> Iterator[Problem]:
    kind = transport.get("type")
    if kind not in ("rawsocket", "websocket", "web"):
        yield Problem(where, f"is of type {kind!r}; use rawsocket for workers and web for browsers")
        return
    if not transport.get("max_connections"):
        yield Problem(where, "must have max_connections")
    yield from _endpoint(f"{where}.endpoint", transport.get("endpoint", {}))
    if kind == "web":
        for path, service in transport.get("paths", {}).items():
            yield from _service(f"{where}.paths[{path!r}]", service)
    elif kind == "websocket":
        yield from _websocket(where, transport)
    else:
        yield from _rawsocket(where, transport)


def _endpoint(where: str, endpoint: Data) -> Iterator[Problem]:
    length = len(os.fsencode(str(endpoint.get("path", ""))))
    if endpoint.get("type") == "unix" and length > MAX_SOCKET_PATH:
        yield Problem(where, f"has a path of {length} bytes; a unix socket's may have {MAX_SOCKET_PATH}")


def _service(where: str, service: Data) -> Iterator[Problem]:
    kind = service.get("type")
    if kind == "websocket":
        yield from _websocket(where, service)
    elif kind == "path":
        for path, nested in service.get("paths", {}).items():
            yield from _service(f"{where}.paths[{path!r}]", nested)
    elif kind not in SERVICES:
        yield Problem(where, f"is of type {kind!r}: pages and programs run beside the router, not in it")


def _rawsocket(where: str, transport: Data) -> Iterator[Problem]:
    yield from _authentication(where, transport)
    yield from _json_only(where, transport)
    if not transport.get("options", {}).get("max_message_size"):
        yield Problem(where, "must have options.max_message_size")
    endpoint = transport.get("endpoint", {})
    if endpoint.get("type") != "unix" and endpoint.get("interface") not in ("127.0.0.1", "::1"):
        yield Problem(where, "listens on the network without TLS or pings: use a unix socket, or a WebSocket")


def _websocket(where: str, transport: Data) -> Iterator[Problem]:
    options = transport.get("options", {})
    yield from _authentication(where, transport)
    yield from _json_only(where, transport)
    yield from _origins(where, options)
    yield from _pings(where, options)
    for name in ("max_message_size", "max_frame_size"):
        if not 0 < options.get(name, 0) <= MAX_BROWSER_MESSAGE:
            yield Problem(where, f"must have options.{name} between 1 and {MAX_BROWSER_MESSAGE} bytes")
    if not options.get("open_handshake_timeout"):
        yield Problem(where, "must have options.open_handshake_timeout (milliseconds)")


def _origins(where: str, options: Data) -> Iterator[Problem]:
    origins = options.get("allowed_origins") or ["*"]
    if not all(_ORIGIN.fullmatch(origin) for origin in origins):
        yield Problem(
            where,
            "must have options.allowed_origins that name our pages, each with its port, as https://polls.example:443",
        )
    if options.get("allow_null_origin", True):
        yield Problem(where, "must have options.allow_null_origin false, or sandboxed pages of any site may connect")


def _pings(where: str, options: Data) -> Iterator[Problem]:
    for name in ("auto_ping_interval", "auto_ping_timeout"):
        if not options.get(name):
            yield Problem(where, f"must have options.{name} (milliseconds), or connections of dead browsers stay open")
    if options.get("auto_ping_restart_on_any_traffic", True):
        yield Problem(where, "must have options.auto_ping_restart_on_any_traffic false, or who never reads may stay")


def _json_only(where: str, transport: Data) -> Iterator[Problem]:
    if list(transport.get("serializers", ())) != ["json"]:
        yield Problem(where, 'must have "serializers": ["json"]: values of other serializers stop events')


def _authentication(where: str, transport: Data) -> Iterator[Problem]:
    auth: Data = transport.get("auth") or {}
    if not auth:
        yield Problem(where, "must have auth: without it anybody joins")
    if "cookie" in transport or "cookie" in auth:
        yield Problem(where, "sets Crossbar's cookie, which is neither HttpOnly nor ever forgotten")
    for method, item in auth.items():
        yield from _method(f"{where}.auth.{method}", method, item)


def _method(where: str, method: str, item: Data) -> Iterator[Problem]:
    if method == "anonymous":
        if item.get("role") != ANONYMOUS:
            yield Problem(where, f"gives {item.get('role')!r}; without a ticket there is only {ANONYMOUS!r}")
    elif method != "ticket":
        yield Problem(where, "is not allowed: join with tickets")
    elif item.get("type") != "function" or not str(item.get("create", "")).startswith("plugin.authenticators."):
        yield Problem(where, "must be checked by the plugin (type function, create plugin.authenticators.…)")
