"""A relay between a worker and its router that keeps every WAMP message: what was really said, and in which order."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

Said = tuple[str, list[Any]]


class Relay:
    """Listens at :attr:`url` and passes everything on to the router's unix socket.

    :attr:`said` has each message as ``("worker" or "router", message)``. While :attr:`flowing` is cleared nothing
    passes, as with a router that hangs.
    """

    def __init__(self, router: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wampflask-")
        self._router = router.removeprefix("unix:")
        self._path = Path(self._folder.name) / "relay.sock"
        self.url = f"unix:{self._path}"
        self.said: list[Said] = []
        self.flowing = threading.Event()
        self.flowing.set()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._path))
        self._server.listen()
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.flowing.set()
        for each in (self._server, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._server, *self._sockets):
            each.close()
        self._folder.cleanup()

    def messages(self, who: str, kind: int) -> list[list[Any]]:
        """The messages of one kind that ``who`` has sent."""
        return [message for sender, message in self.said if sender == who and message[0] == kind]

    def _start(self, function: Any, *args: Any) -> None:
        thread = threading.Thread(target=function, args=args, name="relay")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                worker, _ = self._server.accept()
                router = socket.socket(socket.AF_UNIX)
                self._sockets += [worker, router]
                if router.connect_ex(self._router):
                    worker.shutdown(socket.SHUT_RDWR)
                    continue
                self._start(self._pass_on, worker, router, "worker")
                self._start(self._pass_on, router, worker, "router")

    def _pass_on(self, source: socket.socket, target: socket.socket, who: str) -> None:
        kept = bytearray()
        handshake = 4
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                kept += data
                if handshake and len(kept) >= handshake:
                    del kept[:handshake]
                    handshake = 0
                if not handshake:
                    self._keep(kept, who)
                self.flowing.wait()
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _keep(self, kept: bytearray, who: str) -> None:
        while len(kept) >= 4 and len(kept) >= 4 + (size := struct.unpack(">I", kept[:4])[0] & 0xFFFFFF):
            self.said.append((who, json.loads(kept[4 : 4 + size])))
            del kept[: 4 + size]
