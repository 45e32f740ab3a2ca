"""The demos' URIs and permissions."""

from __future__ import annotations

from wampflask import Permission
from wampflask.permissions import PAGES

UUID = "demo.uuid"
"""Procedure ``()`` → 32 hex digits, random, new at each call."""

IP = "demo.ip"
"""Procedure ``()`` → this server's address for others on its network, or null without a network."""

PING = "demo.ping"
"""Topic, without payload: someone loaded one of the demos' pages."""

PONG = "demo.pong"
"""Topic, without payload: Python heard a ping."""

BAM = "demo.bam"
"""Topic, without payload: someone pressed the button."""

PERMISSIONS = (
    Permission(UUID, call=PAGES),
    Permission(IP, call=PAGES),
    Permission(PING, subscribe=PAGES),
    Permission(PONG, subscribe=PAGES),
    Permission(BAM, publish=PAGES, subscribe=PAGES),
)
