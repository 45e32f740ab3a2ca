"""Requests to addresses that others named: over HTTP, and not into our own network.

The name is resolved once, every address that it has is checked, and the connection goes to the address that was
checked; the certificate is that of the name. There are no redirects and no proxies. Any thread.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

__all__ = ["Allowed", "Answer", "Forbidden", "Outgoing", "Unreachable"]

URL_MAX = 2000
ANSWER_MAX = 65_536
"""Bytes of an answer, at most."""

AGENT = "wampflask"

Address = IPv4Address | IPv6Address
Resolved = tuple[Any, ...]

_PORTS = {"http": 80, "https": 443}
_GLOBAL = IPv6Network("2000::/3")
_SPECIAL = tuple(
    ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")
)  # of protocols, of former ways from IPv4 to IPv6, and for documentation: not every Python knows all of them
_NAT64 = IPv6Network("64:ff9b::/96")


class Forbidden(Exception):
    """This address may not be reached from here; the text says why."""


class Unreachable(Exception):
    """There was no answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


class Allowed:
    """Which addresses may be reached: those of the internet, and what a site's configuration names besides.

    :param named: networks such as ``10.0.0.0/8``, and host names.
    :raises ValueError: for what is neither.
    """

    def __init__(self, named: Iterable[str] = ()) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._hosts: set[str] = set()
        for text in named:
            try:
                self._networks.append(ipaddress.ip_network(text))
            except ValueError:
                if not text.replace("-", "").replace(".", "").replace("_", "").isalnum() or text[0].isdecimal():
                    raise ValueError(f"{text!r} is neither a network such as 10.0.0.0/8 nor a host's name.") from None
                self._hosts.add(text.lower())

    @classmethod
    def parse(cls, text: str) -> Allowed:
        """Read a list with commas."""
        return cls(filter(None, (part.strip() for part in text.split(","))))

    def check(self, host: str, address: Address) -> None:
        """See that ``address``, which is one of ``host``, may be reached.

        :raises Forbidden: naming it.
        """
        if host.lower().rstrip(".") in self._hosts:
            return
        real = _embedded(address) or address
        if any(real.version == network.version and real in network for network in self._networks):
            return
        if not _is_of_the_internet(real):
            raise Forbidden(
                f"{host} has the address {address}, which is inside a network and not of the internet. "
                "The site allows those that WAMP_BRIDGE_ALLOW names."
            )


def _embedded(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to on this machine or by its network's translator."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def _is_of_the_internet(address: Address) -> bool:
    if address.is_multicast or not address.is_global or any(address in network for network in _SPECIAL):
        return False
    return isinstance(address, IPv4Address) or address in _GLOBAL


class Outgoing:
    """Posts JSON to URLs that others named.

    :param timeout: seconds for all of a request, from the name to the last byte.
    :param resolve: as :func:`socket.getaddrinfo`.
    :param context: the certificates to trust; the system's by default.
    """

    def __init__(
        self,
        allowed: Allowed,
        timeout: float = 10.0,
        *,
        resolve: Any = socket.getaddrinfo,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._timeout = timeout
        self._resolve = resolve
        self._context = context or ssl.create_default_context()

    def check(self, url: str) -> None:
        """See that ``url`` can be posted to, and that it may be reached now.

        :raises Forbidden: saying why not.
        :raises Unreachable: its host has no address.
        """
        self._addresses(_parts(url))

    def post(self, url: str, body: bytes, query: str = "") -> Answer:
        """Post JSON.

        :param query: is added to the URL's own.
        :raises Forbidden: the address may not be reached.
        :raises Unreachable: there was no whole answer in time, or it is larger than :data:`ANSWER_MAX`.
        """
        deadline = time.monotonic() + self._timeout
        parts = _parts(url)
        with _Deadline(deadline) as until:
            connection = _Connection(parts, lambda: self._reach(parts, until))
            try:
                target = (parts.path or "/") + "?" + "&".join(filter(None, (parts.query, query)))
                connection.request("POST", target, body, {"Content-Type": "application/json", "User-Agent": AGENT})
                response = connection.getresponse()
                text = response.read(ANSWER_MAX + 1)
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(self._late if until.is_over else f"{type(error).__name__}: {error}") from error
            finally:
                connection.close()
        if until.is_over:  # it was cut, which can look like its end
            raise Unreachable(self._late)
        if len(text) > ANSWER_MAX:
            raise Unreachable(f"the answer has more than {ANSWER_MAX} bytes")
        return Answer(response.status, text)

    @property
    def _late(self) -> str:
        return f"no whole answer in {self._timeout:g} s"

    def _reach(self, parts: SplitResult, until: _Deadline) -> socket.socket:
        """Connect to the first address that answers, of those that the name has at this moment."""
        failure: OSError = OSError("no address")
        for family, kind, protocol, _, address in self._addresses(parts):
            opened = socket.socket(family, kind, protocol)
            opened.settimeout(until.left)
            try:
                opened.connect(address)
            except OSError as error:
                opened.close()
                failure = error
                continue
            until.watch(opened)
            return opened if parts.scheme == "http" else self._secure(opened, parts.hostname or "")
        raise failure

    def _secure(self, opened: socket.socket, host: str) -> socket.socket:
        try:
            return self._context.wrap_socket(opened, server_hostname=host)
        except BaseException:
            opened.close()
            raise

    def _addresses(self, parts: SplitResult) -> list[Resolved]:
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        try:
            found: list[Resolved] = self._resolve(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{host} has no address: {error}") from error
        for *_, address in found:
            self._allowed.check(host, ipaddress.ip_address(str(address[0]).partition("%")[0]))
        return found


class _Connection(http.client.HTTPConnection):
    """Goes where ``reach`` connects to; the request names the URL's host."""

    def __init__(self, parts: SplitResult, reach: Callable[[], socket.socket]) -> None:
        self.default_port = _PORTS[parts.scheme]
        super().__init__(parts.hostname or "", parts.port)
        self._reach = reach

    def connect(self) -> None:
        self.sock = self._reach()


class _Deadline:
    """Ends a connection when its time is over, whatever it waits for: each single wait has a limit, their sum has not.

    :param at: of the monotonic clock.
    """

    def __init__(self, at: float) -> None:
        self._at = at
        self._watched: socket.socket | None = None
        self._timer = threading.Timer(self.left, self._cut)
        self._timer.name, self._timer.daemon = "wampflask-callback-deadline", True

    @property
    def left(self) -> float:
        """Seconds, at least a few."""
        return max(0.01, self._at - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._at

    def watch(self, opened: socket.socket) -> None:
        """Watch a connection, also when TLS takes its socket over."""
        self._watched = opened.dup()

    def _cut(self) -> None:
        if self._watched is not None:
            with contextlib.suppress(OSError):
                self._watched.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._watched is not None:
            self._watched.close()


def _parts(url: str) -> SplitResult:
    """Return the parts of a URL that can be posted to.

    :raises Forbidden: it cannot.
    """
    if url.isascii() and url.isprintable() and " " not in url and "\\" not in url and len(url) <= URL_MAX:
        with contextlib.suppress(ValueError):
            parts = urlsplit(url)
            is_plain = parts.scheme in ("http", "https") and parts.username is None and not parts.fragment
            if is_plain and parts.hostname and parts.port != 0:
                return parts
    raise Forbidden(f"{url[:80]!r} is not a URL to post to: use https://host/path, in ASCII, without a user.")
