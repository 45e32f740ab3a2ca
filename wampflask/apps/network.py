"""Where other machines find this site."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, has_request_context, request


def lan_address() -> str | None:
    """Return this machine's address on its network, found without sending anything; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # a documentation address: a datagram socket only picks its route
        address = str(probe.getsockname()[0])
        return None if address.startswith("127.") else address
    return None


def init_app(app: Flask) -> None:
    """Accept requests for this site's names only, where they are configured."""
    app.before_request(_check_host)


def _check_host() -> None:
    """Refuse a request for a name that the site does not have, so that QR codes and addresses in pages never repeat it.

    This machine's own names are always accepted, for the local agent; ``/healthz`` is served under any name, for load
    balancers.
    """
    hosts = current_app.extensions["site"].hosts
    host = urlsplit(request.host_url).hostname or ""
    if hosts and host not in hosts and not _is_loopback(host) and request.endpoint != "health.healthz":
        abort(400, f"This site does not answer to the name {host}. Its admin can add it to WAMPFLASK_HOSTS.")


def client_network() -> str:
    """Return whom a rate limit counts as one: the current request's address, or its /64 network with IPv6."""
    address = request.remote_addr or ""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def public_base(find_address: Callable[[], str | None] | None = None) -> str:
    """Return how other machines reach this site: ``WAMPFLASK_PUBLIC_URL``, else as the current request did.

    Other machines cannot use localhost: this machine's network address replaces it, and is used without a request, too.

    :param find_address: asked for that address; by default :func:`lan_address`.
    """
    configured = str(current_app.extensions["site"].public_url)
    if configured:
        return configured
    base = request.url_root.rstrip("/") if has_request_context() else f"http://localhost:{_pages_port()}"
    parts = urlsplit(base)
    address = (find_address or lan_address)() if _is_loopback(parts.hostname or "") else None
    if address is None:
        return base
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{address}{port}").geturl()


def public_link(endpoint: str, **values: str) -> str:
    """Return the full address of a page, with :func:`public_base`; needs no request."""
    return public_base() + current_app.url_map.bind("").build(endpoint, values)


def _pages_port() -> str:
    return os.environ.get("PORT") or "8080"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
