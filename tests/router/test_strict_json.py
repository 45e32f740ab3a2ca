"""Reading JSON strictly, without a router; and what stands for a message that is refused."""

from __future__ import annotations

import json
import random
from types import ModuleType
from typing import Any

import pytest
from autobahn.wamp import message

from wampflask import payload, uris
from wampflask.plugin import guard, rules, strict_json


def value_of(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(8 if depth < 5 else 6)
    if kind == 6:
        return [value_of(rng, depth + 1) for _ in range(rng.randrange(5))]
    if kind == 7:
        return {value_of_text(rng): value_of(rng, depth + 1) for _ in range(rng.randrange(5))}
    integer = rng.choice([0, -1, rng.randrange(-(2**53), 2**53)])
    return [None, True, False, integer, rng.uniform(-1e9, 1e9), value_of_text(rng)][kind]


def value_of_text(rng: random.Random) -> str:
    return "".join(rng.choice('a"\\/\n\x1fé\u2028€😀') for _ in range(rng.randrange(9)))


def test_it_reads_what_pythons_own_reads() -> None:
    rng = random.Random(1)
    for _ in range(500):
        value = value_of(rng)
        assert strict_json.read(json.dumps(value).encode()) == value
        assert strict_json.read(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "data", [b"", b"[1]x", b"[", b'"\n"', b'"\xff"', b'"\xed\xa0\x80"', b'["a",]', b"'a'", b"[01]"]
)
def test_what_is_no_json_is_not_just_refused(data: bytes) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - of every kind but ours
        strict_json.read(data)
    assert not isinstance(raised.value, strict_json.Refused)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[NaN]", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[-1e400]", "the number -1e400 has no finite value"),
        (b"[9007199254740993]", "an integer beyond"),
        (b'["a\\uD800b"]', "lone surrogate"),
        (b'["\\udc00\\ud800"]', "lone surrogate"),
        (b'{"\\ud800":1}', "lone surrogate"),
        (b'{"\\u0000":1}', "begins with NUL"),
        (b'["a\\\\","\\u0000"]', "begins with NUL"),
    ],
)
def test_what_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(strict_json.Refused, match=why):
        strict_json.read(data)


@pytest.mark.parametrize("shape", [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_depth(shape: tuple[bytes, bytes]) -> None:
    """The deepest that we send ourselves is the deepest that is read."""
    opening, closing = shape
    each = opening.count(b"[") + opening.count(b"{")
    most = (strict_json.MAX_DEPTH + 2) // each
    strict_json.read(opening * most + b"1" + closing * most)
    for too_many in (most + 1, 500, 100_000):
        with pytest.raises(strict_json.Refused, match="nested deeper"):
            strict_json.read(opening * too_many + b"1" + closing * too_many)


def test_one_place_for_each_bound() -> None:
    assert (payload.MAX_DEPTH, payload.MAX_INTEGER) == (strict_json.MAX_DEPTH, strict_json.MAX_INTEGER)
    assert uris.MAX_LENGTH == rules.MAX_LENGTH


@pytest.mark.parametrize("raw", [17, [], ["x"], [48], [48, 1, {}, "a.b"], [48, 1, {}, "a.b", [], 5], [{}, 1], [True]])
def test_keywords_of_what_has_none(raw: Any) -> None:
    strict_json.check_keywords(raw)


@pytest.mark.parametrize(
    "data",
    [
        b'[16,1,{"acknowledge":true},"a.b"]',
        b' [ 16 , 1 , {"x":[NaN],"acknowledge":true} ,',
        b'[16,1,{"acknowledge":true}',
    ],
)
def test_who_asks_for_an_acknowledgement_is_told(data: bytes) -> None:
    stand_in = guard.instead(data, "why")

    assert isinstance(stand_in, guard.Refused)
    assert stand_in.answer is not None
    assert stand_in.answer.marshal() == [8, 16, 1, {}, "wamp.error.invalid_payload", ["why"]]


@pytest.mark.parametrize(
    "data", [b"[16,1,{},", b"[16,1,7,", b"[16,1,", b'[16,1,{"acknowledge":1},', b"[16,1," + b"[" * 9999]
)
def test_others_are_not(data: bytes) -> None:
    assert guard.instead(data, "why") == guard.Refused("why")


@pytest.mark.parametrize(
    ("data", "waiting"),
    [
        (b"[70,5,", (68, 5)),
        (b"[8,68,5,", (68, 5)),
        (b"[50,5,", (48, 5)),
        (b"[8,48,5,", (48, 5)),
        (b"[8,16,5,", (16, 5)),
    ],
)
def test_who_waits_gets_an_error(data: bytes, waiting: tuple[int, int]) -> None:
    stand_in = guard.instead(data, "why")

    assert isinstance(stand_in, message.Error)
    assert (stand_in.request_type, stand_in.request) == waiting


@pytest.mark.parametrize(
    "data", [b"", b"[", b"[1,", b"[1,2,", b"[8,68,", b"[49,1,", b"[1e5,1,", b"[48,-1,", b"[48," + b"9" * 99]
)
def test_nobody_can_be_told(data: bytes) -> None:
    assert guard.instead(data, "why") is None


@pytest.mark.parametrize("module", [None, ModuleType("crossbar.router.session")])
def test_without_crossbars_session_it_says_so(module: ModuleType | None) -> None:
    """Nothing is changed by half: this process's own reader stays as it is."""
    from autobahn.wamp.serializer import JsonSerializer  # not before our own module has chosen Twisted

    before = vars(JsonSerializer).copy()

    assert "has no RouterSession.onMessage or no Dealer" in str(guard.apply(module, module))
    assert vars(JsonSerializer) == before
