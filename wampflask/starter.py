"""The small app that ``python -m wampflask new`` makes."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

FILES = Path(__file__).with_name("starter_files")
_SUFFIX = ".in"  # of each file there: none of them is a module, a template or a configuration of the library
_HIDDEN = {"gitignore"}


def make(folder: Path) -> list[Path]:
    """Write the files into ``folder``, and return their paths.

    :raises FileExistsError: something is there already.
    :raises OSError: the folder cannot be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty. Choose a folder that is new or empty.")
    name = escape(folder.resolve().name)
    made = []
    for source in sorted(FILES.rglob(f"*{_SUFFIX}")):
        target = folder / source.relative_to(FILES).with_suffix("")
        if target.name in _HIDDEN:
            target = target.with_name(f".{target.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(source.read_text(encoding="utf-8")).substitute(name=name), encoding="utf-8")
        made.append(target)
    return made
