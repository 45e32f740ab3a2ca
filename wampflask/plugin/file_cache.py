"""A small text file that is read again when it changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


class CachedFile(Generic[T]):
    """The parsed content of a file, kept until its inode, time or size changes. For one thread.

    :param parse: from the file's text to the value.
    :param missing: the value while there is no such file; without it a missing file is an error.
    """

    def __init__(self, path: str | Path, parse: Callable[[str], T], missing: T | None = None) -> None:
        self._path = Path(path)
        self._parse = parse
        self._missing = missing
        self._seen: tuple[int, int, int] | None = None
        self._value: T | None = missing

    def read(self) -> T:
        """Return the value now.

        :raises OSError: when the file cannot be read (a missing one only without ``missing``).
        """
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            if self._missing is None:
                raise
            self._seen, self._value = None, self._missing
            return self._missing
        state = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if state != self._seen or self._value is None:
            self._value = self._parse(self._path.read_text(encoding="utf-8"))
            self._seen = state
        return self._value
