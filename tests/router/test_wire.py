"""The test client's own wire: what comes in pieces is whole in the end."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from wampflask.router.wire import Wire

EVENT = [36, 1, 2, {}, ["x" * 300]]


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    """A client's connection, and the server's end of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted: list[socket.socket] = []

        def shake_hands() -> None:
            one, _ = server.accept()
            accepted.append(one)
            one.recv(4096)
            one.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

        thread = threading.Thread(target=shake_hands)
        thread.start()
        with Wire(f"ws://127.0.0.1:{server.getsockname()[1]}/ws") as wire:
            thread.join()
            with accepted[0] as other:
                yield wire, other


@pytest.mark.parametrize("cut", [1, 3, 4, 100])
def test_a_message_that_comes_in_pieces_is_not_lost(ends: tuple[Wire, socket.socket], cut: int) -> None:
    """Though time runs out in between: else the rest of it would be taken for the next."""
    wire, other = ends
    text = json.dumps(EVENT).encode()
    ping = b"\x89\x01p"
    frame = ping + b"\x81\x7e" + len(text).to_bytes(2, "big") + text
    other.sendall(frame[: len(ping) + cut])
    with pytest.raises(TimeoutError):
        wire.receive(0.05)
    other.sendall(frame[len(ping) + cut :] + frame)

    assert wire.receive(10) == EVENT
    assert wire.receive(10) == EVENT
