"""What the demos say over WAMP, and who may hear it."""

from __future__ import annotations

from wampflask import Permission
from wampflask.permissions import PAGES

UUID = "demo.uuid"
"""Procedure ``()`` → 32 hex digits, new at each call and not to be guessed."""

IP = "demo.ip"
"""Procedure ``()`` → this server's address for others on its network, or null without a network."""

PING = "demo.ping"
"""Topic, nothing in it: somebody loaded one of the demos' pages."""

BAM = "demo.bam"
"""Topic, nothing in it: somebody pressed the button."""

PERMISSIONS = (
    Permission(UUID, call=PAGES),
    Permission(IP, call=PAGES),
    Permission(PING, subscribe=PAGES),
    Permission(BAM, publish=PAGES, subscribe=PAGES),
)
