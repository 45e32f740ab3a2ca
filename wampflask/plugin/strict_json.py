"""WAMP's JSON, read strictly: what some peer behind the router could not read is refused where it comes in.

Also fast: Python's scanner in C reads it, and calls few Python functions. autobahn has a scanner in
Python made for each message, for the sake of binary values, which nobody here sends. Standard library only.
"""

from __future__ import annotations

import json
import re
from math import isinf
from typing import Any, NoReturn

MAX_DEPTH = 64
"""Levels of a value: pythons give up at some 900, and not each at the same."""
MAX_INTEGER = 2**53 - 1
"""Beyond this a browser reads another number than was sent."""
MAX_ID = 2**53
"""WAMP's own ids end here."""

RESERVED = {
    **dict.fromkeys((48, 16), frozenset({"self", "fun"})),  # CALL and PUBLISH, for txaio.as_future
    70: frozenset({"self", "callee", "callee_authid", "callee_authrole", "forward_for", "enc_algo"}),  # YIELD
    8: frozenset({"self", "error"}),  # ERROR
}
"""Keyword arguments by WAMP's type of message, which autobahn would take for its own and fail."""

_KEYWORDS = {48: 5, 16: 5, 70: 4, 8: 6}  # where they stand in a message
_ENVELOPE = 2  # a value stands in the list or the dict of arguments, and this in the message
_DIGITS = len(str(MAX_ID)) + 1
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # or one of a pair, which is well
_BINARY = re.compile(rb'(?<!\\)"\\u0000')
_CONTAINERS = (list, dict)


class Refused(ValueError):
    """JSON that must not travel on; the text says why."""


def read(data: bytes) -> Any:
    """Return the value of a JSON text.

    :raises Refused: when a peer could not read it.
    :raises ValueError: when it is not JSON at all.
    """
    try:
        value = _decoder.decode(data.decode())
    except RecursionError:
        raise Refused(_TOO_DEEP) from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deep(value):
        raise Refused(_TOO_DEEP)
    if b"\\u" in data:
        _check_escapes(data, value)
    return value


def check_keywords(message: Any) -> None:
    """Check the keywords of a raw WAMP message on its way to the router.

    :raises Refused: when a keyword argument has a reserved name.
    """
    kind = message[0] if isinstance(message, list) and message else None
    at = _KEYWORDS.get(kind) if isinstance(kind, int) else None
    if at is None or len(message) <= at or not isinstance(message[at], dict):
        return
    reserved = RESERVED[message[0]].intersection(message[at])
    if reserved:
        raise Refused(f"a keyword argument must not be called {min(reserved)!r} here")


_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + _ENVELOPE):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
        if not level:
            return False
    return True


def _check_escapes(data: bytes, value: Any) -> None:
    if b'"\\u0000' in data and _BINARY.search(data):
        raise Refused("text that begins with NUL is read as binary by WAMP's JSON")
    if _LONE_SURROGATE.search(data):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Refused("text with a lone surrogate has no UTF-8 form") from None


def _integer(text: str) -> int:
    if len(text) > _DIGITS or abs(number := int(text)) > MAX_ID:
        raise Refused("an integer beyond ±2^53-1, where browsers round it; send it as text")
    return number


def _float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise Refused(f"the number {text[:20]} has no finite value")
    return number


def _constant(name: str) -> NoReturn:
    raise Refused(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant)
