"""WAMP on the wire, for probes and tests: one blocking connection that sends and receives raw messages.

It is not the library's client (that is ``_session.py``): it needs no reactor, can be used before there
is one, and sends whatever it is given, also what no decent client would send. JSON over a unix rawsocket,
a TCP rawsocket or a plain WebSocket. For one thread at a time.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable
from itertools import chain, count
from typing import Any, Self
from urllib.parse import urlsplit

HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE, GOODBYE, ERROR = 1, 2, 3, 4, 5, 6, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED, EVENT = 16, 17, 32, 33, 34, 35, 36
CALL, CANCEL, RESULT, REGISTER, REGISTERED, UNREGISTER, UNREGISTERED, INVOCATION, YIELD = (
    48,
    49,
    50,
    64,
    65,
    66,
    67,
    68,
    70,
)

SUBPROTOCOL = "wamp.2.json"

_MAGIC = b"\x7f\xf1\x00\x00"  # of a rawsocket: messages up to 16 MiB, JSON
_TWO_BYTES = 126  # a WebSocket frame's length, when the real one follows in two bytes

Message = list[Any]

_ROLES = {
    "caller": {"features": {"caller_identification": True, "call_timeout": True}},
    "callee": {
        "features": {
            "caller_identification": True,
            "shared_registration": True,
            "pattern_based_registration": True,
        }
    },
    "publisher": {"features": {"publisher_exclusion": True, "publisher_identification": True}},
    "subscriber": {"features": {"pattern_based_subscription": True, "publisher_identification": True}},
}


class WireError(Exception):
    """The connection ended, or the other side does not speak WAMP; the text says which."""


class Refused(WireError):
    """The router answered with ABORT. ``uri`` is its reason."""

    def __init__(self, uri: str, text: str) -> None:
        super().__init__(f"{uri}: {text}" if text else uri)
        self.uri = uri


class Wire:
    """One connection, and one session on it once :meth:`join` has returned.

    :param url: ``unix:<path>``, ``rs://host:port``, ``ws://host:port/path`` or ``wss://…``.
    :param timeout: seconds for each wait.
    :param origin: the Origin header of a WebSocket, as a browser would send it.
    :param ca: file of the certificates to trust, for ``wss:``; empty for the system's.
    :raises OSError: when nobody listens.
    :raises WireError: when the handshake fails.
    """

    def __init__(self, url: str, *, timeout: float = 10.0, origin: str | None = None, ca: str = "") -> None:
        self.details: dict[str, Any] = {}
        self.session = 0
        self.requests = count(1)
        self._timeout = timeout
        self._buffer = b""
        self._begun = b""
        self._socket = _connect(url, timeout, ca)
        try:
            self._open(url, origin)
        except BaseException:
            self._socket.close()
            raise

    def _open(self, url: str, origin: str | None) -> None:
        self._framing: _RawSocket | _WebSocket = _WebSocket() if url.startswith(("ws:", "wss:")) else _RawSocket()
        self._framing.open(self._socket, self._read, url, origin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def join(self, realm: str, ticket: str | None, authid: str = "probe") -> Self:
        """Join with a ticket, or anonymously without.

        :raises Refused: by the router.
        """
        method = "anonymous" if ticket is None else "ticket"
        self.send([HELLO, realm, {"roles": _ROLES, "authmethods": [method], "authid": authid}])
        answer = self.receive()
        if answer[0] == CHALLENGE:
            self.send([AUTHENTICATE, ticket, {}])
            answer = self.receive()
        if answer[0] == ABORT:
            raise Refused(answer[2], str(answer[1].get("message", "")))
        if answer[0] != WELCOME:
            raise WireError(f"expected WELCOME, received {answer!r}")
        self.session, self.details = answer[1], answer[2]
        return self

    def ask(self, kind: int, *rest: Any, options: dict[str, Any] | None = None) -> Message:
        """Send one request and return its answer; other messages that come first are dropped."""
        request = next(self.requests)
        self.send([kind, request, options or {}, *rest])
        while True:
            answer = self.receive()
            if answer[0] == GOODBYE:
                raise WireError(f"the router said goodbye: {answer[2]}")
            if request in answer[1:3] and answer[0] not in (EVENT, INVOCATION):
                return answer

    def call(self, procedure: str, *args: Any) -> Any:
        """Return the first value of the result.

        :raises Refused: for an error of the router or the callee.
        """
        answer = self.ask(CALL, procedure, list(args))
        if answer[0] == ERROR:
            raise Refused(answer[4], " ".join(map(str, chain.from_iterable(answer[5:6]))))
        values = [value for part in answer[3:4] for value in part]
        return values[0] if values else None

    def send(self, message: Message) -> None:
        """Send one message."""
        self.send_many([message])

    def send_many(self, messages: list[Message]) -> None:
        """Send messages without waiting for anything between them."""
        self.send_raw(*(json.dumps(message).encode() for message in messages))

    def send_raw(self, *payloads: bytes) -> None:
        """Send messages as they are, JSON or not."""
        try:
            self._socket.sendall(b"".join(map(self._framing.frame, payloads)))
        except OSError as error:
            raise WireError(f"the connection is gone: {error}") from None

    def receive(self, timeout: float | None = None) -> Message:
        """Return the next message.

        :raises TimeoutError: when none comes; what has come of one is kept.
        :raises WireError: when the connection ends.
        """
        self._socket.settimeout(self._timeout if timeout is None else timeout)
        self._begun = b""
        try:
            message: Message = json.loads(self._framing.message(self._read, self._socket.sendall))
        except TimeoutError:
            self._buffer = self._begun + self._buffer
            raise
        return message

    def close(self) -> None:
        """Close the connection without a word; another thread that receives gets an error."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise
            except OSError as error:
                raise WireError(f"the connection is gone: {error}") from None
            if not data:
                raise WireError("the other side closed the connection")
            self._buffer += data
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        self._begun += found
        return found


Read = Callable[[int], bytes]
Send = Callable[[bytes], object]


class _RawSocket:
    """WAMP's own framing: a length before each message."""

    def open(self, connection: socket.socket, read: Read, url: str, origin: str | None) -> None:
        del url, origin
        connection.sendall(_MAGIC)
        magic, answer, *_ = read(4)
        if magic != _MAGIC[0] or answer & 0xF != 1:
            raise WireError("the other side is not a WAMP rawsocket for JSON")

    def frame(self, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + data

    def message(self, read: Read, send: Send) -> bytes:
        while True:
            header: int = struct.unpack(">I", read(4))[0]
            data = read(header & 0xFFFFFF)
            if header >> 24 == 0:
                return data
            if header >> 24 == 1:
                send(struct.pack(">I", len(data) | 2 << 24) + data)  # a ping


class _WebSocket:
    """RFC 6455, as a client: text frames, pings answered, no extensions."""

    def open(self, connection: socket.socket, read: Read, url: str, origin: str | None) -> None:
        parts = urlsplit(url)
        lines = [
            f"GET {parts.path or '/'} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            *([f"Origin: {origin}"] if origin is not None else []),
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += read(1)
        status = head.split(b"\r\n", 1)[0].decode("latin-1")
        if " 101 " not in status:
            raise WireError(f"the other side is not a WAMP WebSocket: {status}")

    def frame(self, data: bytes) -> bytes:
        return _masked(0x81, data)

    def message(self, read: Read, send: Send) -> bytes:
        whole = b""
        while True:
            first, second = read(2)
            length = second & 0x7F
            if length >= _TWO_BYTES:
                length = int.from_bytes(read(2 if length == _TWO_BYTES else 8), "big")
            data = read(length)
            match first & 0xF:
                case 0x0 | 0x1:
                    whole += data
                    if first & 0x80:
                        return whole
                case 0x8:
                    raise WireError(f"the other side closed: {data[2:].decode(errors='replace') or 'no reason given'}")
                case 0x9:
                    send(_masked(0x8A, data))


def _masked(first: int, data: bytes) -> bytes:
    """Return a client's frame. The mask protects proxies from pages, of which there are none here, so it is zero."""
    length = len(data)
    if length < _TWO_BYTES:
        head = struct.pack(">BB", first, 0x80 | length)
    elif length < 2**16:
        head = struct.pack(">BBH", first, 0x80 | _TWO_BYTES, length)
    else:
        head = struct.pack(">BBQ", first, 0x80 | 127, length)
    return head + bytes(4) + data


def _connect(url: str, timeout: float, ca: str) -> socket.socket:
    if url.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(url.removeprefix("unix:"))
        except BaseException:
            connection.close()
            raise
        return connection
    parts = urlsplit(url)
    if parts.scheme not in ("rs", "ws", "wss") or not parts.hostname:
        raise ValueError(f"{url!r} is not unix:<path>, rs://host:port, ws://host:port/path or wss://host:port/path.")
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    connection = socket.create_connection((parts.hostname, port), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if parts.scheme != "wss":
        return connection
    try:
        return ssl.create_default_context(cafile=ca or None).wrap_socket(connection, server_hostname=parts.hostname)
    except BaseException:
        connection.close()
        raise


def wait_until(condition: Callable[[], bool], timeout: float, interval: float = 0.02) -> bool:
    """Ask ``condition`` again and again; whether it held within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True
