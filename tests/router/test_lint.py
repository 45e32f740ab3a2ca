"""The linter: our own configuration passes, and each rule has a configuration that breaks it alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from wampflask.permissions import PAGES, Permission
from wampflask.router.lint import lint
from wampflask.router.render import Node, Realm, render

PERMISSIONS = (
    Permission("polls.results", call=PAGES),
    Permission("polls.update.<id>", subscribe=PAGES),
    Permission("board.read", call=("anonymous",)),
)
SOUND = render(Node(realms=(Realm(permissions=PERMISSIONS), Realm(name="second"))))

Break = Callable[[dict[str, Any]], object]


def worker(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["workers"][0]
    return found


def realm(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = worker(config)["realms"][0]
    return found


def visitor(config: dict[str, Any]) -> dict[str, Any]:
    return next(role for role in realm(config)["roles"] if role["name"] == "visitor")


def extra(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = worker(config)["components"][0]["extra"]
    return found


def rawsocket(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = worker(config)["transports"][0]
    return found


def web(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = worker(config)["transports"][1]
    return found


def ws(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = web(config)["paths"]["ws"]
    return found


def static_role(**grant: Any) -> Break:
    def change(config: dict[str, Any]) -> None:
        role = visitor(config)
        del role["authorizer"]
        role["permissions"] = [{"match": "prefix", "allow": {"subscribe": True}, "cache": False, **grant}]

    return change


BROKEN: list[tuple[str, str, Break]] = [
    ("no worker", "no worker", lambda c: c.update(workers=[])),
    ("a guest", "guest", lambda c: c["workers"].append({"type": "guest", "executable": "gunicorn"})),
    ("loose URIs", "uri_check", lambda c: realm(c).pop("options")),
    ("a store", "has a store", lambda c: realm(c).update(store={"type": "memory"})),
    ("rlinks", "rlinks", lambda c: realm(c).update(rlinks=[{}])),
    ("a role that no rule may name", "names visitor", lambda c: visitor(c).update(name="guest")),
    ("a role of Crossbar's own", "is named 'trusted'", lambda c: visitor(c).update(name="trusted")),
    ("a rule for workers", "names backend", lambda c: extra(c)["rules"][0].update(call=["backend"])),
    ("a role without authorizer", "must be guarded", lambda c: visitor(c).pop("authorizer")),
    ("another authorizer", "must be guarded", lambda c: visitor(c).update(authorizer="com.example.auth")),
    ("a realm without our component", "must be guarded", lambda c: worker(c)["components"].pop(1)),
    ("a grant of everything", "reaches wamp", static_role(uri="")),
    ("a grant of everything, with a star", "reaches wamp", static_role(uri="*", match="exact")),
    ("a grant of the meta API", "reaches wamp", static_role(uri="wamp.")),
    ("a grant of one meta procedure", "reaches wamp", static_role(uri="wamp.session.list", match="exact")),
    ("a wildcard grant", "reaches wamp", static_role(uri="..", match="wildcard")),
    ("a grant without a dot at its end", "without a dot", static_role(uri="polls.update")),
    ("an exact grant", "without a dot", static_role(uri="polls.update", match="exact")),
    ("a cached grant", "cache", static_role(uri="polls.", cache=True)),
    ("a foreign component", "only plugin", lambda c: worker(c)["components"].append({"classname": "x.Y"})),
    ("a rule for the meta API", "never with wamp", lambda c: extra(c)["rules"].append({"uri": "wamp.x"})),
    ("a rule for anything", "never with wamp", lambda c: extra(c)["rules"].append({"uri": "<any>.x"})),
    ("a rule for a foreign role", "root", lambda c: extra(c)["rules"].append({"uri": "a", "call": ["root"]})),
    ("no time to join in", "join_timeout", lambda c: extra(c)["patches"].update(join_timeout=0)),
    ("no rate limit", "rate limit", lambda c: extra(c)["rate_limit"].update(actions=0)),
    ("readers who never read", "unread", lambda c: extra(c)["patches"].pop("unread")),
    ("an unknown transport", "use rawsocket", lambda c: worker(c)["transports"].append({"type": "mqtt"})),
    ("no connection limit for workers", "max_connections", lambda c: rawsocket(c).pop("max_connections")),
    ("no connection limit for browsers", "max_connections", lambda c: web(c).pop("max_connections")),
    ("a long socket path", "bytes", lambda c: rawsocket(c)["endpoint"].update(path="/" + "x" * 200)),
    ("no auth for workers", "anybody joins", lambda c: rawsocket(c).pop("auth")),
    ("no auth for browsers", "anybody joins", lambda c: ws(c).pop("auth")),
    ("no message size for workers", "max_message_size", lambda c: rawsocket(c).pop("options")),
    (
        "workers over the plain network",
        "without TLS",
        lambda c: rawsocket(c).update(endpoint={"type": "tcp", "port": 9000}),
    ),
    ("CBOR towards workers", "serializers", lambda c: rawsocket(c).update(serializers=["json", "cbor"])),
    ("all serializers towards browsers", "serializers", lambda c: ws(c).pop("serializers")),
    ("every origin", "allowed_origins", lambda c: ws(c)["options"].update(allowed_origins=["*"])),
    ("every origin, spelled out", "allowed_origins", lambda c: ws(c)["options"].update(allowed_origins=["http://*:*"])),
    ("default origins", "allowed_origins", lambda c: ws(c)["options"].pop("allowed_origins")),
    ("null origin", "allow_null_origin", lambda c: ws(c)["options"].pop("allow_null_origin")),
    ("no pings", "auto_ping_interval", lambda c: ws(c)["options"].pop("auto_ping_interval")),
    ("no wait for pongs", "auto_ping_timeout", lambda c: ws(c)["options"].update(auto_ping_timeout=0)),
    (
        "pings put off by traffic",
        "restart_on_any",
        lambda c: ws(c)["options"].pop("auto_ping_restart_on_any_traffic"),
    ),
    ("no message size", "max_message_size", lambda c: ws(c)["options"].pop("max_message_size")),
    ("a huge message size", "max_message_size", lambda c: ws(c)["options"].update(max_message_size=2**24)),
    ("no frame size", "max_frame_size", lambda c: ws(c)["options"].update(max_frame_size=0)),
    ("no handshake timeout", "open_handshake", lambda c: ws(c)["options"].pop("open_handshake_timeout")),
    ("a cookie", "cookie", lambda c: ws(c).update(cookie={"store": {"type": "memory"}})),
    ("cookie auth", "cookie", lambda c: ws(c)["auth"].update(ticket=ws(c)["auth"]["ticket"], cookie={})),
    (
        "a ticket in the configuration",
        "checked by the plugin",
        lambda c: ws(c)["auth"].update(ticket={"type": "static", "principals": {"joe": {"ticket": "secret"}}}),
    ),
    ("a foreign authenticator", "checked by the plugin", lambda c: ws(c)["auth"]["ticket"].update(create="x.y")),
    ("another method", "is not allowed", lambda c: ws(c)["auth"].update(wampcra={"type": "static"})),
    ("anonymous users", "without a ticket", lambda c: ws(c)["auth"]["anonymous"].update(role="user")),
    ("anonymous backends", "without a ticket", lambda c: ws(c)["auth"]["anonymous"].update(role="backend")),
    ("a reverse proxy", "beside the router", lambda c: web(c)["paths"].update(x={"type": "reverseproxy"})),
    ("WSGI in the router", "beside the router", lambda c: web(c)["paths"].update(x={"type": "wsgi"})),
    ("the REST bridge", "beside the router", lambda c: web(c)["paths"].update(x={"type": "publisher"})),
    ("node info", "beside the router", lambda c: web(c)["paths"].update(x={"type": "nodeinfo"})),
    (
        "something below a path",
        "beside the router",
        lambda c: web(c)["paths"].update(x={"type": "path", "paths": {"y": {"type": "caller"}}}),
    ),
    ("a second WebSocket", "anybody joins", lambda c: worker(c)["transports"].append({"type": "websocket"})),
]


def test_our_own_configuration_is_sound() -> None:
    """With and without permissions, anonymous guests, remote workers."""
    assert lint(SOUND) == []
    assert lint(render(Node())) == []
    assert lint(render(Node(remote_backend=True, origins=("https://polls.example",)))) == []


@pytest.mark.parametrize(("change", "named"), [(c, n) for _, n, c in BROKEN], ids=[name for name, _, _ in BROKEN])
def test_each_rule_finds_its_fault(change: Break, named: str) -> None:
    """And says where it is and what would do."""
    config = copy.deepcopy(SOUND)
    change(config)

    problems = lint(config)

    assert any(named in problem.what for problem in problems), problems
    assert all(problem.where.startswith("workers") for problem in problems)
    assert all(named in str(problem) or len(problems) > 1 for problem in problems)


def test_a_static_grant_that_is_sound() -> None:
    """A prefix that ends with a dot, uncached."""
    config = copy.deepcopy(SOUND)
    static_role(uri="polls.update.")(config)

    assert lint(config) == []
