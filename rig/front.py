"""What may stand between an agent and the hub: a server that ends TLS, or a network that goes silent."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import selectors
import socket
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Front:
    """Passes connections on to a port of this machine.

    :param certificate: to end TLS with; without it, everything goes through as it is.
    """

    def __init__(self, port: int, certificate: Path | None = None) -> None:
        self._target = ("127.0.0.1", port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self._context and certificate:
            self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.frozen = threading.Event()
        """While it is set, what is sent is lost, and neither side notices: an unplugged cable."""
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._listen, name="front")]
        self._threads[0].start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._pass, args=(connection,), name="front-connection")
                self._threads.append(thread)
                thread.start()

    def _pass(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
            inner = stack.enter_context(socket.create_connection(self._target))
            wrapped = self._context.wrap_socket(connection, server_side=True) if self._context else connection
            outer = stack.enter_context(wrapped)
            self._open |= {inner, outer}
            selector = stack.enter_context(selectors.DefaultSelector())
            selector.register(inner, selectors.EVENT_READ, outer)
            selector.register(outer, selectors.EVENT_READ, inner)
            while True:
                for ready, _ in selector.select():
                    data = _received(outer if ready.fileobj is outer else inner)
                    if not data:
                        return
                    if not self.frozen.is_set():
                        ready.data.sendall(data)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


def _received(source: socket.socket) -> bytes:
    """What has come; of TLS also what is already decrypted, which no selector reports."""
    data = source.recv(65536)
    while isinstance(source, ssl.SSLSocket) and source.pending():
        data += source.recv(65536)
    return data


def make_certificate(file: Path, *hosts: str) -> Path:
    """For 127.0.0.1, localhost and ``hosts``, signed by itself; with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *map(x509.DNSName, ("localhost", *hosts))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file
