"""Where the site's templates and static files are: beside ``apps`` once installed, beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def resource(name: str) -> Path:
    """Return the path of ``templates``, ``static`` or ``Procfile``.

    :raises FileNotFoundError: when neither place has it, which means an incomplete installation.
    """
    for place in (_PACKAGE / name, _PACKAGE.parent / name):
        if place.exists():
            return place
    raise FileNotFoundError(
        f"wampflask-site was installed without its {name} (looked beside and inside {_PACKAGE}). Install it again."
    )
