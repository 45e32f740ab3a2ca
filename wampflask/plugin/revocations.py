"""The file of revocations: a line for each, the authid and the moment (seconds since the epoch).

Flask appends (``wampflask.revocations.revoke``), the plugin reads it when it has changed. A ticket of
that authid which was issued up to that moment is refused, also after a restart of either side.
"""

from __future__ import annotations


def parse(text: str) -> dict[str, float]:
    """Return the latest moment for each authid. A torn last line is skipped: it is read when it is whole."""
    latest: dict[str, float] = {}
    for line in text.splitlines(keepends=True):
        authid, _, moment = line.partition(" ")
        try:
            before = float(moment)
        except ValueError:
            continue
        if line.endswith("\n"):
            latest[authid] = max(before, latest.get(authid, 0.0))
    return latest


def line(authid: str, moment: float) -> str:
    """Return the line that revokes what ``authid`` was issued up to ``moment``."""
    return f"{authid} {moment!r}\n"
