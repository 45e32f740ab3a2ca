"""The rendered configuration: what Crossbar itself says of it, and that the committed one is it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from rig.contracts import declared_by_the_site
from wampflask import WAMP, cli
from wampflask.permissions import PAGES, Permission
from wampflask.router.node import RouterError, crossbar_check, write_config
from wampflask.router.render import PLUGIN_PATH, Node, Realm, origins_for, render, to_json

CHECKOUT = Path(__file__).resolve().parents[2]
COMMITTED = CHECKOUT / ".crossbar" / "config.json"


def test_the_committed_configuration_is_what_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """``flask wamp router render --folder .crossbar`` writes it; nothing in it is of one machine."""
    monkeypatch.delenv("PORT", raising=False)
    app = Flask("wampflask", instance_path=str(CHECKOUT / "instance"))
    app.config["WAMP_TICKET_SECRET"] = "not in the configuration"
    wamp = WAMP(app)
    wamp.permit(*declared_by_the_site())

    node = cli.node_of(app, app.extensions["wamp"].config, COMMITTED.parent)

    assert COMMITTED.read_text(encoding="utf-8") == to_json(render(node)), "flask wamp router render --folder .crossbar"
    assert str(CHECKOUT) not in COMMITTED.read_text(encoding="utf-8")
    assert "not in the configuration" not in to_json(render(node))


def test_the_committed_configuration_finds_its_files() -> None:
    """Relative to its own folder."""
    options = json.loads(COMMITTED.read_text(encoding="utf-8"))["workers"][0]["options"]

    assert [(COMMITTED.parent / path).resolve() for path in options["pythonpath"]] == [PLUGIN_PATH]


def test_crossbar_accepts_it(tmp_path: Path) -> None:
    permissions = (Permission("board.read", call=("anonymous", *PAGES)), Permission("board.<id>", subscribe=PAGES))
    node = Node(realms=(Realm(permissions=permissions), Realm(name="second")), remote_backend=True)

    assert crossbar_check(write_config(tmp_path, node))


def test_crossbar_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    """And its own words are in the error."""
    config = render(Node())
    config["workers"][0]["transports"][1]["paths"]["ws"]["options"]["auto_pong"] = 5
    file = tmp_path / "config.json"
    file.write_text(to_json(config))

    with pytest.raises(RouterError, match="auto_pong"):
        crossbar_check(file)


def test_anonymous_guests_only_where_something_is_for_them() -> None:
    def methods(*permissions: Permission) -> list[str]:
        config = render(Node(realms=(Realm(permissions=permissions),)))
        return list(config["workers"][0]["transports"][1]["paths"]["ws"]["auth"])

    assert methods(Permission("a.b", call=PAGES)) == ["ticket"]
    assert methods(Permission("a.b", call=("anonymous",))) == ["ticket", "anonymous"]


def test_no_role_of_strangers_is_cached_or_static() -> None:
    for realm in render(Node(realms=(Realm(), Realm(name="second"))))["workers"][0]["realms"]:
        assert [role["name"] for role in realm["roles"] if "permissions" in role] == ["backend"]


def test_two_realms_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        render(Node(realms=(Realm(), Realm())))


@pytest.mark.parametrize(
    ("origin", "compared"),
    [
        ("https://polls.example", "https://polls.example:443"),
        ("http://polls.example", "http://polls.example:80"),
        ("http://*:8080", "http://*:8080"),
    ],
)
def test_origins_are_written_as_crossbar_compares_them(origin: str, compared: str) -> None:
    config = render(Node(origins=(origin,)))

    assert config["workers"][0]["transports"][1]["paths"]["ws"]["options"]["allowed_origins"] == [compared]


@pytest.mark.parametrize(
    "origin", ["*", "polls.example", "https://polls.example/", "ws://polls.example", "https://a|b"]
)
def test_origins_that_are_none(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        render(Node(origins=(origin,)))


def test_the_origins_of_our_own_pages() -> None:
    """Every name of this machine at the pages' port, and the public one."""
    assert origins_for(port=8080) == ("http://*:8080",)
    assert origins_for(port=80, public_url="wss://polls.example/ws") == ("http://*:80", "https://polls.example")
    assert origins_for(port=80, local=True) == ("http://*:80", "http://localhost:*", "http://127.0.0.1:*")
    assert origins_for(port=80, public_url="ws://lan.example:8081/ws") == ("http://*:80", "http://lan.example")


def test_milliseconds() -> None:
    """Crossbar counts pings in milliseconds, and takes a whole number."""
    options = render(Node(ping_interval=2.5, ping_timeout=1))["workers"][0]["transports"][1]["paths"]["ws"]["options"]

    assert (options["auto_ping_interval"], options["auto_ping_timeout"]) == (2500, 1000)
