"""The agent that ``make run`` starts beside the site, so that the dashboard is alive in the first minute."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .intake import enrolment
from .models import Host

PROGRAM = "agent"
"""Its name in the Procfile."""
CONFIG = "agent.conf"
LIFETIME = timedelta(hours=1)
"""Of its token; it enrols as soon as the site is ready."""


def write_config(session: Session, instance: Path, port: int) -> Path:
    """Write the agent's settings for the site on this machine, with a token when it is not enrolled. Commits.

    Only its owner can read the file. A host that an admin removed enrols again.
    """
    state = instance / PROGRAM
    lines = [f"server = http://127.0.0.1:{port}", f"state = {state}"]
    if not _is_known(session, state / "host"):
        _, text = enrolment.make_token(session, note="this machine", lifetime=LIFETIME)
        session.commit()
        lines.append(f"token = {text}")
    file = instance / CONFIG
    with open(file, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as handle:
        handle.write("\n".join(lines) + "\n")
    return file


def _is_known(session: Session, file: Path) -> bool:
    try:
        host = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return False
    return bool(session.scalar(select(func.count(Host.id)).where(Host.host == host)))
