"""Which declarations a process serves: ``WAMP_SERVE``, and ``flask wamp serve --procedures``.

``video.*`` are the declaration ``video`` and all below it; ``!video.*`` are all others. So what blocks or computes for
long runs in processes of its own, and never holds up pages; nothing changes for its callers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Self

from .errors import ConfigError

_TERM = re.compile(r"!?[0-9a-z_]+(\.[0-9a-z_]+)*(\.\*)?")


@dataclass(frozen=True, slots=True)
class Serving:
    """What one process serves; it knows declarations by their URIs.

    :param only: these; none for all.
    :param without: but not these.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @classmethod
    @cache
    def parse(cls, text: str) -> Self:
        """Read terms with commas or spaces between them; no term means everything.

        :raises ConfigError: naming a term that cannot be read.
        """
        terms = text.replace(",", " ").split()
        for term in terms:
            if not _TERM.fullmatch(term):
                raise ConfigError(
                    f"WAMP_SERVE={text!r}: {term!r} is not a URI, nor a URI with .* at its end, nor !these."
                )
        only = tuple(term for term in terms if not term.startswith("!"))
        return cls(only, tuple(term[1:] for term in terms if term.startswith("!")))

    def __contains__(self, uri: str) -> bool:
        return (not self.only or _matches(self.only, uri)) and not _matches(self.without, uri)


def _matches(terms: Iterable[str], uri: str) -> bool:
    return any(uri == term.removesuffix(".*") or (term.endswith(".*") and uri.startswith(term[:-1])) for term in terms)
