"""Which pages may connect: the origins that the router allows, and the log's explanation when it refuses one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from flask import Flask, current_app

from .config import Config, pages_port

_NAMED_MAX = 20  # a page's address comes from a header: only this many are kept


def of_app(app: Flask, config: Config) -> tuple[str, ...]:
    """Return the origins that the router of ``app`` is to admit.

    :raises ConfigError: ``PORT`` is not a port.
    """
    from .router.render import origins_for

    own = origins_for(
        port=pages_port(app.config), public_url=config.public_url, local=app.debug or config.listens_on_loopback
    )
    return (*own, *config.origins.split())


def matches(origin: str, patterns: Iterable[str]) -> bool:
    """Return whether ``origin`` is one of ``patterns``, as Crossbar compares them: ``*`` is any text."""
    from .router.render import with_port

    try:
        full = with_port(origin.lower())
    except ValueError:
        return False
    return any(re.fullmatch(re.escape(with_port(text)).replace(r"\*", ".*"), full) for text in patterns)


class Pages:
    """The pages of one app by their origin, as ``/wamp/ticket`` meets them; each is named in the log once."""

    def __init__(self, instance: Path, config: Config) -> None:
        self._file = instance / "crossbar" / "config.json"
        self._named: set[str] = set()
        # "http://*:5173" lets pages connect that have a ticket; tickets themselves are for hosts that are named
        self._shared = [text for text in config.origins.split() if not re.match(r"https?://\*(:|$)", text)]

    def may_share(self, origin: str) -> bool:
        """Return whether a page of another origin may have tickets: ``WAMP_ORIGINS`` names its host."""
        return matches(origin, self._shared)

    def refused(self, origin: str) -> None:
        """A page of another origin got no ticket."""
        if self._is_new(origin):
            current_app.logger.warning(
                "A page at %s got no ticket, because it is not one of this app's. If it is yours, add its address to "
                "WAMP_ORIGINS, for this app and for the router.",
                origin,
            )

    def served(self, origin: str) -> None:
        """Log that a page got a ticket but will not be allowed to connect by the router of this instance.

        A browser learns nothing of why its connection was refused, and the router does not know who could mend it.
        """
        if not self._is_new(origin):
            return
        admitted = self._admitted()
        if admitted and not matches(origin, admitted):
            current_app.logger.warning(
                "The router refuses the connections of pages at %s; it admits %s. Start it again with WAMP_ORIGINS=%s "
                "(several have spaces between them).",
                origin,
                ", ".join(admitted),
                origin,
            )

    def _is_new(self, origin: str) -> bool:
        if origin in self._named or len(self._named) >= _NAMED_MAX:
            return False
        self._named.add(origin)
        return True

    def _admitted(self) -> list[str]:
        """Return the origins in the configuration of the instance's router; none where it runs elsewhere."""
        try:
            transports = json.loads(self._file.read_text(encoding="utf-8"))["workers"][0]["transports"]
            return [str(text) for text in transports[1]["paths"]["ws"]["options"]["allowed_origins"]]
        except (OSError, ValueError, LookupError, TypeError):
            return []
