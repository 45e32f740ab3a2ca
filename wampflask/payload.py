"""Strict JSON payloads, checked at the sender.

A ``datetime`` or a ``set`` that reaches a router over CBOR stops the delivery to JSON subscribers
half-way, and a call that returns one is never answered; NaN is not JSON at all. So what is not JSON is
refused before it leaves, and the error names the value's path.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from .errors import InvalidPayload
from .plugin import strict_json

MAX_DEPTH = strict_json.MAX_DEPTH
MAX_INTEGER = strict_json.MAX_INTEGER


def clean(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return a deep copy of a payload that is certainly JSON. Safe in any thread.

    The copy is what is sent, so that a queued message does not change when its author goes on using the values.

    :raises InvalidPayload: naming the path of the first value that is not JSON.
    """
    return (
        [_clean(value, "args", index, 0) for index, value in enumerate(args)],
        {key: _clean(value, "kwargs", key, 0) for key, value in kwargs.items()},
    )


def check_size(uri: str, args: list[Any], kwargs: dict[str, Any], limit: int) -> None:
    """Refuse a cleaned payload that certainly is too large for a message.

    :param limit: bytes that the router takes.
    :raises InvalidPayload: naming both sizes.
    """
    # marshal is ten times quicker than JSON, whose text is at most six times as long (a control character as \\u0001)
    if len(marshal.dumps((args, kwargs), 0)) <= limit // 6:
        return
    size = len(json.dumps([args, kwargs], ensure_ascii=False, separators=(",", ":")).encode())
    if size > limit:
        raise InvalidPayload(f"The payload for {uri} has {size} bytes, and a message to the router {limit} at most.")


def clean_value(value: Any, name: str = "result") -> Any:
    """Return a deep copy of one value that is certainly JSON, such as a procedure's result."""
    return _clean(value, name, None, 0)


def _clean(value: Any, parent: Any, key: Any, depth: int) -> Any:  # noqa: PLR0911 - one return a kind, quickest first
    kind = type(value)
    if kind is str:
        return _clean_text(value, parent, key)
    if kind is bool or value is None:
        return value
    if kind is int:
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return value
        raise _refused(parent, key, f"the integer {value} is beyond ±2^53-1 where browsers round it; send it as text")
    if kind is float:
        if isfinite(value):
            return value
        raise _refused(parent, key, f"{value} has no JSON form; send None or text")
    if depth >= MAX_DEPTH:
        raise _refused(parent, key, f"nested deeper than {MAX_DEPTH} levels")
    here = (parent, key)
    if isinstance(value, dict):
        return {_clean_key(name, here): _clean(item, here, name, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item, here, index, depth + 1) for index, item in enumerate(value)]
    return _clean_subclass(value, parent, key, depth)


def _clean_subclass(value: Any, parent: Any, key: Any, depth: int) -> Any:
    for base in (str, int, float):
        if isinstance(value, base):
            return _clean(base.__str__(value) if base is str else base(value), parent, key, depth)
    raise _refused(parent, key, f"{type(value).__name__} is not JSON; {_REMEDIES.get(type(value).__name__, _REMEDY)}")


_REMEDY = "send text, numbers, booleans, None, lists or dicts of them"
_REMEDIES = {
    "datetime": "send .isoformat() or .timestamp()",
    "date": "send .isoformat()",
    "set": "send sorted(...) of it",
    "frozenset": "send sorted(...) of it",
    "bytes": "send text, base64 if need be",
    "Decimal": "send str(...) or float(...) of it",
    "UUID": "send .hex of it",
}


def _clean_text(value: str, parent: Any, key: Any) -> str:
    if value.isascii():
        if value[:1] == "\0":
            # autobahn's JSON reads a leading NUL as "base64 follows" and would deliver bytes (WAMP spec, "Binary
            # conversion of JSON strings").
            raise _refused(parent, key, "text that begins with NUL is read as binary by WAMP's JSON")
        return value
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _refused(parent, key, "text with a lone surrogate has no UTF-8 form") from error
    return value


def _clean_key(name: Any, path: tuple[Any, Any]) -> str:
    if isinstance(name, str):
        return _clean_text(name, path, name)
    parent, key = path
    raise _refused(parent, key, f"has the key {name!r}; JSON's keys are text")


def _refused(parent: Any, key: Any, why: str) -> InvalidPayload:
    path = _path(parent, key)
    return InvalidPayload(f"{path}: {why}", path)


def _path(parent: Any, key: Any) -> str:
    above = _path(*parent) if isinstance(parent, tuple) else str(parent)
    return above if key is None else f"{above}[{key!r}]"
