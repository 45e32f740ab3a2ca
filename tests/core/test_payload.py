"""What may travel, and how a refusal names the value."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import uuid
from typing import Any

import pytest

from wampflask import InvalidPayload, payload


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -5, 2**53 - 1, 1.5, "text", "", "ü😀", [], {}, [1, [2, {"a": None}]], {"a": {"b": [1.0, "x"]}}],
)
def test_json_travels_unchanged(value: Any) -> None:
    assert payload.clean_value(value) == value
    assert json.loads(json.dumps(payload.clean_value(value), allow_nan=False)) == value


def test_tuples_become_lists_and_enums_their_values() -> None:
    assert payload.clean((1, (2, 3)), {"c": Colour.RED, "l": Level.HIGH}) == ([1, [2, 3]], {"c": "red", "l": 3})
    assert type(payload.clean_value(Colour.RED)) is str
    assert type(payload.clean_value(Level.HIGH)) is int


def test_what_is_sent_is_a_copy() -> None:
    inner = {"votes": 1}
    args, _ = payload.clean(([inner],), {})
    inner["votes"] = 2
    assert args == [[{"votes": 1}]]


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        ((dt.datetime(2026, 1, 1, tzinfo=dt.UTC),), {}, "args[0]"),
        ((1, {"when": [dt.date(2026, 1, 1)]}), {}, "args[1]['when'][0]"),
        ((), {"tags": {"a"}}, "kwargs['tags']"),
        ((), {"x": [0, float("nan")]}, "kwargs['x'][1]"),
        ((float("inf"),), {}, "args[0]"),
        ((b"raw",), {}, "args[0]"),
        ((decimal.Decimal(1),), {}, "args[0]"),
        ((uuid.uuid4(),), {}, "args[0]"),
        (({1: "a"},), {}, "args[0]"),
        ((2**53,), {}, "args[0]"),
        (("\0binary",), {}, "args[0]"),
        (("\ud800",), {}, "args[0]"),
        ((object(),), {}, "args[0]"),
    ],
)
def test_what_is_not_json_is_refused_by_its_path(args: tuple[Any, ...], kwargs: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidPayload) as refused:
        payload.clean(args, kwargs)
    assert refused.value.path == path
    assert str(refused.value).startswith(path)


def test_a_loop_is_refused_and_not_followed_for_ever() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidPayload, match="nested deeper than 64 levels"):
        payload.clean_value(loop)


@pytest.mark.parametrize("text", ["x" * 990, "ä" * 495, "\x01" * 165, "😀" * 247])
def test_a_payload_is_measured_as_it_travels(text: str) -> None:
    payload.check_size("demo.a", [text], {}, 1000)
    with pytest.raises(InvalidPayload, match=r"demo\.a has 1[0-9]+ bytes, and a message to the router 1000 at most"):
        payload.check_size("demo.a", [text + text[:10] * 2], {}, 1000)
