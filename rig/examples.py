"""The one-file apps of examples/, each loaded from a copy, with the copy's folder as its own."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(name: str, folder: Path) -> ModuleType:
    """Copy ``examples/<name>`` into ``folder``, which is empty, and import its ``app.py`` anew.

    :returns: the module, whose ``app`` has its instance folder there.
    """
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True)
    title = f"example_{name}"
    spec = importlib.util.spec_from_file_location(title, folder / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[title] = module  # Flask looks it up to find the folder
    spec.loader.exec_module(module)
    return module
