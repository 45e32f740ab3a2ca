"""The operator page's URIs and permissions. Everything else on it is asked for by workers."""

from __future__ import annotations

import re
import secrets

from wampflask import Permission

ADMINS = ("admin",)

TAIL = "ops.tail.<!key>"
"""Procedure and topic: the events of a topic that somebody follows, as ``wampflask.tail`` has them."""

PERMISSIONS = (Permission(TAIL, call=ADMINS, subscribe=ADMINS),)

_KEY = re.compile(r"(?<![0-9a-zA-Z])([0-9a-f]{4})[0-9a-f]{16,}(?![0-9a-zA-Z])")


def new_key() -> str:
    """Return the last component of a new tail's URI."""
    return secrets.token_hex(16)


def tail_uri(key: str) -> str:
    """Return a tail's URI."""
    return f"ops.tail.{key}"


def without_keys(text: str) -> str:
    """Return a text to be shown: a word that has to be known, such as a player's, is the right to use what it names."""
    return _KEY.sub(r"\1…", text)
