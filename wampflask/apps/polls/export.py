"""Results as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io

from .contract import Snapshot

_BOM = "\ufeff"  # tells spreadsheets that it is UTF-8
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_csv(snapshot: Snapshot) -> str:
    """One line a choice: question, choice, votes, percent of voters. Needs a snapshot with counts."""
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
    """Text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text
