"""Where the pages and their files lie: inside the package once installed, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """The folder of ``templates`` or ``static``.

    :raises FileNotFoundError: when neither place has it, which means an incomplete installation.
    """
    for place in (_PACKAGE / name, _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f"wampflask was installed without its {name}/ folder (looked beside and inside {_PACKAGE}). Install it again."
    )
