"""Results as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io
import unicodedata

from .contract import Snapshot

_BOM = "\ufeff"  # shows spreadsheets that it is UTF-8
_FORMULA_STARTS = ("=", "+", "-", "@")
_FIELD_STARTS = ("\t", "\r", "\n")


def to_csv(snapshot: Snapshot) -> str:
    """Return one line for each choice: question, choice, votes, percent, voters. Needs a snapshot with counts."""
    text = io.StringIO()
    text.write(_BOM)
    writer = csv.writer(text)
    writer.writerow(["question", "choice", "votes", "percent", "voters"])
    for choice in snapshot["choices"]:
        writer.writerow(
            [
                harmless(snapshot["text"]),
                harmless(choice["label"]),
                choice["votes"],
                choice["percent"],
                snapshot["voters"],
            ]
        )
    return text.getvalue()


def harmless(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula, also with full-width or invisible characters."""
    plain = unicodedata.normalize("NFKC", text)  # some programs take a fullwidth "＝" for "="
    visible = next((character for character in plain if character.isprintable() and not character.isspace()), "")
    return f"'{text}" if text.startswith(_FIELD_STARTS) or visible in _FORMULA_STARTS else text
