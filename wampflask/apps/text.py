"""Text that people type into one line."""

from __future__ import annotations

from .errors import Invalid


def one_line(value: str | None, longest: int | None = None) -> str:
    """Return the text on one line, trimmed: runs of blanks and invisible characters become one space.

    :param longest: characters after which it is cut.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in value or "").split())[:longest]


def required_line(value: str | None, name: str, longest: int) -> str:
    """Return the text on one line, neither empty nor too long.

    :param name: what the text is, to begin a sentence with: ``A choice``.
    :raises Invalid: it is empty, or has more than ``longest`` characters.
    """
    line = one_line(value)
    if not line:
        raise Invalid(f"{name} needs some text.")
    if len(line) > longest:
        raise Invalid(f"{name} is too long: {len(line)} characters, at most {longest}.")
    return line
