"""Small files in the instance folder that several processes write: one at a time, whole, and their owner's alone."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let no other process or thread write ``file`` meanwhile."""
    with open(file.with_suffix(".lock"), "a", encoding="utf-8", opener=private) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def replace(file: Path, text: str) -> None:
    """Replace ``file`` as a whole, so that its reader never sees half of it; inside :func:`locked`."""
    new = file.with_suffix(".new")
    with open(new, "w", encoding="utf-8", opener=private) as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    new.replace(file)


def create(file: Path, text: str) -> None:
    """Write ``file`` whole or not at all; of several processes that do so at once, the first one's text stays."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(draft, "x", encoding="utf-8", opener=private) as handle:
        handle.write(text)
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def private(path: str, flags: int) -> int:
    """Return an ``opener`` for ``open``: what it makes is its owner's alone."""
    return os.open(path, flags, 0o600)
