"""What may stand between an agent and the hub: a server that ends TLS, or a network that goes silent."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from pathlib import Path


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
        """While it is set, what is sent is lost, and nobody is told: an unplugged cable."""
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
    """What has come; of TLS also what is already decrypted, which no selector tells of."""
    data = source.recv(65536)
    while isinstance(source, ssl.SSLSocket) and source.pending():
        data += source.recv(65536)
    return data
