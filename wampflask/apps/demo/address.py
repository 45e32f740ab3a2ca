"""``demo.ip``: where phones on the same network find this server."""

from __future__ import annotations

from wampflask.apps.extensions import wamp
from wampflask.apps.network import lan_address

from .contract import IP


@wamp.register(IP)
def get_ip() -> str | None:
    """Return this server's address on its network, found without sending anything."""
    return lan_address()
