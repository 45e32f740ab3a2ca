"""WAMP messages by chance: of every type, with wrong ids, odd options, and values of all kinds."""

from __future__ import annotations

import random
from collections.abc import Callable

TYPES = (1, 2, 3, 4, 5, 6, 8, 16, 17, 32, 33, 34, 35, 36, 37, 48, 49, 50, 64, 65, 66, 67, 68, 69, 70)
OF_CLIENTS = (8, 16, 32, 34, 48, 49, 64, 66, 70)
OPTIONS = (
    *("acknowledge", "progress", "receive_progress", "timeout", "match", "invoke", "force_reregister", "get_retained"),
    *("exclude_me", "exclude", "eligible", "eligible_authid", "exclude_authrole", "retain", "concurrency", "mode"),
    *("enc_algo", "enc_key", "enc_serializer", "forward_for", "caller", "callee", "procedure", "topic", "reason"),
    *("transaction_hash", "message", "roles", "authmethods", "authid", "authrole", "authextra", "resumable", "x_a"),
)
NAMES = (
    *("self", "fun", "args", "kwargs", "error", "uri", "callee", "callee_authid", "forward_for", "enc_algo", "msg"),
    *("details", "options", "procedure", "topic", "handler", "request", "function", "value", "", "é", "\\ud800"),
)
TEXTS = (
    *('""', '"a"', '"exact"', '"wildcard"', '"prefix"', '"kill"', '"skip"', '"cryptobox"', '"json"', '"\\u0000AA=="'),
    *('"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"a b.c"', '"wamp.close.normal"', '"ticket"', '"backend"', '"é"'),
)
NUMBERS = (
    *("0", "1", "-1", "2", "17", "9007199254740991", "9007199254740992", "9007199254740993", "1e3", "1.0", "-0", "0.5"),
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "9" * 30, "9" * 5000, "true", "false", "null"),
)
DEPTHS = (3, 60, 63, 64, 65, 66, 67, 200, 900, 990, 1010, 5000)


class Fuzzer:
    """Messages by chance; the same ones again for the same ``seed`` and ids.

    :param uris: those that the sender may use.
    """

    def __init__(self, seed: int, uris: tuple[str, ...]) -> None:
        self._rng = random.Random(seed)
        self._uris = uris
        self.ids = [1]

    def message(self) -> bytes:
        """One message, most often nearly right."""
        return self._spoilt(self._envelope())

    def answer(self, invocation: int) -> bytes:
        """What a callee says to an invocation: once in a while what it should."""
        rng = self._rng
        options = self._pick(lambda: "{}", lambda: '{"progress":true}', self._options)
        if rng.random() < 0.7:
            return f"[70,{invocation},{options}{self._payload()}]".encode()
        return f"[8,68,{invocation},{options},{self._uri()}{self._payload()}]".encode()

    def _envelope(self) -> str:
        rng = self._rng
        kind = rng.choice(OF_CLIENTS if rng.random() < 0.95 else TYPES)
        number = self._id()
        parts: dict[int, list[Callable[[], str]]] = {
            8: [lambda: str(rng.choice(TYPES)), self._id, self._options, self._uri],
            16: [lambda: number, self._options, self._uri],
            32: [lambda: number, self._options, self._uri],
            34: [lambda: number, self._id],
            48: [lambda: number, self._options, self._uri],
            49: [lambda: number, self._options],
            64: [lambda: number, self._options, self._uri],
            66: [lambda: number, self._id],
            70: [lambda: number, self._options],
        }
        body = parts.get(kind, [self._value, self._value, self._value][: rng.randrange(4)])
        text = ",".join([str(kind), *(part() for part in body)])
        return f"[{text}{self._payload() if kind in (8, 16, 48, 70) else ''}]"

    def _payload(self) -> str:
        rng = self._rng
        args = f"[{','.join(self._value() for _ in range(rng.randrange(3)))}]"
        pairs = (f'"{rng.choice(NAMES)}":{self._value()}' for _ in range(rng.randrange(3)))
        return rng.choice(["", f",{args}", f",{args},{{{','.join(pairs)}}}", f",{self._value()}"])

    def _options(self) -> str:
        rng = self._rng
        if rng.random() < 0.7:
            return "{}"
        return "{" + ",".join(f'"{rng.choice(OPTIONS)}":{self._value()}' for _ in range(rng.randrange(1, 4))) + "}"

    def _uri(self) -> str:
        odd = (
            '""',
            '"."',
            '"a..b"',
            '"wamp.session.list"',
            '"wampflask.router.authorize"',
            f'"{"u" * 300}"',
            "1",
            "null",
        )
        return f'"{self._rng.choice(self._uris)}"' if self._rng.random() < 0.8 else self._rng.choice(odd)

    def _id(self) -> str:
        rng = self._rng
        return self._pick(lambda: str(rng.choice(self.ids)), lambda: str(rng.randrange(1, 100)), self._value)

    def _value(self, level: int = 0) -> str:
        rng = self._rng
        kind = rng.randrange(6 if level < 3 else 3)
        if kind == 0:
            return rng.choice(TEXTS)
        if kind == 1:
            return rng.choice(NUMBERS)
        if kind == 2:
            return '"' + "".join(rng.choice("abc. _é") for _ in range(rng.randrange(12))) + '"'
        if kind == 3:
            return f"[{','.join(self._value(level + 1) for _ in range(rng.randrange(4)))}]"
        if kind == 4:
            return (
                "{" + ",".join(f'"{rng.choice(NAMES)}":{self._value(level + 1)}' for _ in range(rng.randrange(3))) + "}"
            )
        depth = rng.choice(DEPTHS)
        opening, closing = rng.choice([("[", "]"), ('{"a":', "}")])
        return opening * depth + "1" + closing * depth

    def _pick(self, *ways: Callable[[], str]) -> str:
        return self._rng.choice(ways)()

    def _spoilt(self, text: str) -> bytes:
        """Once in a while a byte is lost, doubled or another."""
        data = bytearray(text.encode())
        rng = self._rng
        while data and rng.random() < 0.02:
            at = rng.randrange(len(data))
            data[at : at + 1] = rng.choice([b"", data[at : at + 1] * 2, bytes([rng.randrange(256)])])
        return bytes(data)
