"""Addresses in a text, found the same way here and in ``static/js/chat/links.js``: a test compares both."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ADDRESS = re.compile(r"https?://[^\s<>\"“”]+")
_TRAILING = ".,:;!?'*_~…»”’"


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the text in pieces, and whether each one is an address."""
    end = 0
    for found in _ADDRESS.finditer(text):
        address = _trimmed(found[0])
        if len(address) <= len("https://"):
            continue
        if found.start() > end:
            yield text[end : found.start()], False
        yield address, True
        end = found.start() + len(address)
    if end < len(text):
        yield text[end:], False


def _trimmed(address: str) -> str:
    """Return an address without the punctuation of the sentence around it; brackets opened inside it stay."""
    while address:
        last = address[-1]
        opening = {")": "(", "]": "["}.get(last)
        if last not in _TRAILING and (opening is None or address.count(last) <= address.count(opening)):
            break
        address = address[:-1]
    return address
