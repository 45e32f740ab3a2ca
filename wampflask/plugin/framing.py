"""An event's frame is made once, and written to all who get it.

A server's WebSocket frames are not masked, so a message is the same bytes in every connection. Crossbar hands one event
to all its subscribers, and autobahn keeps its JSON in it; but it frames that for each, which is half of what remains
of a router's time. Here the frame is kept beside the JSON, and written unchanged.

The first subscriber's goes through autobahn, errors and all, and so does everything where autobahn would do more than
write one frame at once: compressed, fragmented, masked, longer than allowed, queued or logged messages.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from autobahn.wamp.message import Event, Message
from autobahn.websocket.protocol import PreparedMessage, WebSocketProtocol

Write = Callable[[Any, bytes], None]

PROTOCOLS = "crossbar.router.protocol"
OPEN = WebSocketProtocol.STATE_OPEN

_LOOKED_AT = {
    "sendMessage": {"state", "trackedTimings", "_perMessageCompress", "maxMessagePayloadSize", "autoFragmentSize"},
    "sendFrame": {"maskServerFrames", "logFrames"},
    "sendData": {"send_queue", "logOctets", "transport", "write"},
}
"""By autobahn's function: names in it that :func:`_is_plain` and :func:`_send` rely on."""


def apply(protocols: ModuleType | None, write: Write) -> str | None:
    """Make browsers and agents get events so.

    :param write: writes bytes to a transport.
    :returns: why it is impossible, or None.
    """
    protocol = getattr(protocols, "WampWebSocketServerProtocol", None)
    sent = getattr(protocol, "send", None)
    if protocol is None or sent is None:
        return f"{PROTOCOLS}.WampWebSocketServerProtocol.send is not there"
    for function, names in _LOOKED_AT.items():
        code = getattr(getattr(WebSocketProtocol, function, None), "__code__", None)
        if code is None or not names <= {*code.co_names}:
            return f"autobahn's {function} works otherwise"
    if "_serialized" not in Message.__slots__:
        return "autobahn keeps the JSON of an event elsewhere"

    def send(self: Any, msg: Any) -> None:
        if type(msg) is not Event or self._session is None:
            sent(self, msg)
            return
        form = self._serializer._serializer  # noqa: SLF001 - autobahn offers no other
        payload = msg._serialized.get(form)  # noqa: SLF001 - same
        if payload is None or not _is_plain(self, len(payload)):
            sent(self, msg)
            return
        self._serializer.serialize(msg)  # which counts it
        _send(self, len(payload), _frame(msg, payload, binary=form.BINARY), write)

    protocol.send = send
    return None


def _is_plain(protocol: Any, size: int) -> bool:
    """Return whether autobahn would only write one frame with these bytes."""
    return bool(
        protocol.state == OPEN
        and not protocol.send_queue
        and protocol._perMessageCompress is None  # noqa: SLF001 - autobahn offers no other
        and not 0 < protocol.autoFragmentSize < size
        and not 0 < protocol.maxMessagePayloadSize < size
        and not (protocol.maskServerFrames or protocol.logFrames or protocol.logOctets or protocol.trackedTimings)
    )


def _frame(event: Event, payload: bytes, *, binary: bool) -> bytes:
    kept: dict[Any, bytes] = event._serialized  # noqa: SLF001 - autobahn offers no other
    frame = kept.get((binary, payload))
    if frame is None:
        frame = PreparedMessage(payload, binary, applyMask=False, doNotCompress=True).payloadHybi
        kept[binary, payload] = frame
    return frame


def _send(protocol: Any, size: int, frame: bytes, write: Write) -> None:
    """Send, and count it as autobahn does."""
    write(protocol.transport, frame)
    traffic = protocol.trafficStats
    traffic.outgoingWebSocketMessages += 1
    traffic.outgoingWebSocketFrames += 1
    traffic.outgoingOctetsAppLevel += size
    traffic.outgoingOctetsWebSocketLevel += size
    traffic.outgoingOctetsWireLevel += len(frame)
