"""Who issues an app's tickets: a page fetches one at each connect, and joins the router with it.

The router's plugin verifies it; ``plugin/tickets.py`` is the one definition for both sides. Any thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol
from urllib.parse import urlsplit

from flask import Flask, current_app, request

from .identity import Identify, Identity
from .keys import PURPOSE, Keys
from .permissions import BACKEND
from .plugin import blocks
from .plugin.blocks import Block
from .plugin.file_cache import CachedFile
from .plugin.tickets import ELSEWHERE, FORGED, TicketError, TicketExpired, Tickets
from .revocations import BLOCKED_FILE
from .visitor_cookie import visitor_authid as _visitor_authid

__all__ = ["Pages", "TicketIssuer", "explain_refusal", "issuer_of", "visitor_authid"]

EXTENSION = "wampflask_tickets"
"""Of the issuer in ``app.extensions``."""


class Pages(Protocol):
    """What is known of pages by their origin: see :mod:`wampflask.origins`."""

    def may_share(self, origin: str) -> bool: ...
    def refused(self, origin: str) -> None: ...
    def served(self, origin: str) -> None: ...


@dataclass(kw_only=True)
class TicketIssuer:
    """The tickets of one app.

    :param identify: who asks in the current request; None there means a visitor.
    :param public_url: the router as browsers see it; "" for the request's host with ``port``.
    """

    tickets: Tickets
    instance: Path
    port: int = 8081
    public_url: str = ""
    identify: Identify | None = None
    pages: Pages | None = None

    def __post_init__(self) -> None:
        self._blocked: CachedFile[dict[str, Block]] = CachedFile(self.instance / BLOCKED_FILE, blocks.parse, {})
        self._reading = Lock()
        self.keys = Keys(self.instance, self.tickets.derive(PURPOSE))

    def block_of(self, authid: str) -> Block | None:
        """Return what keeps ``authid`` out now."""
        with self._reading:
            found = self._blocked.read().get(authid)
        return found if found and found.holds(time.time()) else None

    def mint_backend(self) -> str:
        """Return a ticket for this worker's own session. Any thread."""
        return self.tickets.mint(BACKEND, BACKEND)

    def current_identity(self) -> Identity:
        """Return the identity of the current request."""
        found = self.identify() if self.identify is not None else None
        return found or Identity("visitor", authid=_visitor_authid(self.tickets))

    def url(self) -> str:
        """Return where the page of the current request finds the router."""
        if self.public_url:
            return self.public_url
        host = urlsplit(request.host_url).hostname or "localhost"
        host = f"[{host}]" if ":" in host else host
        return f"{'wss' if request.is_secure else 'ws'}://{host}:{self.port}/ws"


def issuer_of(app: Flask | None = None) -> TicketIssuer:
    """Return the issuer of ``app``, by default of the current one.

    :raises RuntimeError: when there is none.
    """
    found = (app or current_app).extensions.get(EXTENSION)
    if not isinstance(found, TicketIssuer):
        raise RuntimeError("This app has no tickets: call wamp.init_app(app) first.")  # noqa: TRY004 - not a type's fault
    return found


def visitor_authid() -> str:
    """Return the authid of the current request's visitor, from a signed cookie that is set when it is not there yet."""
    return _visitor_authid(issuer_of().tickets)


def explain_refusal(reason: str, url: str) -> str:
    """Return why the router at ``url`` refused a worker's ticket, and what to do.

    The router does not reveal what is wrong with a ticket; but a worker's own is valid, so these are the causes left.

    :param reason: what the router said: ``uri: text``.
    """
    key = "this app's WAMP_TICKET_SECRET is not the router's, which reads ticket.key in its own instance folder"
    address = f"the router takes no workers at {url}: use its unix socket as WAMP_URL, or start it with this WAMP_URL"
    remedies = {f"{TicketError.uri}: {FORGED}": key, f"{TicketError.uri}: {ELSEWHERE}": address}
    why = remedies.get(reason)
    if why is None and reason.startswith(TicketExpired.uri):
        why = "the clocks of this machine and the router's differ by more than WAMP_TICKET_LIFETIME"
    return f"{reason} ({why})" if why else reason
