"""Write what docs/deployment.md quotes, and compose.yaml, from what `flask wamp deploy` renders: `make docs`.

A block of docs/deployment.md is a file of that name when a line like `<!-- rendered: Caddyfile -->` stands above it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from wampflask.apps import create_app  # noqa: E402 - not before the path
from wampflask.deploy import deployment as parameters  # noqa: E402
from wampflask.deploy.rendering import FORMS  # noqa: E402

PAGE = ROOT / "docs" / "deployment.md"
COMPOSE = ROOT / "compose.yaml"
BLOCK = re.compile(r"(<!-- rendered: (\S+) -->\n+```\w*\n)(.*?)(^```)", re.MULTILINE | re.DOTALL)
CONFIG = {
    "PORT": 8080,
    "WAMP_PORT": 8081,
    "WAMP_PUBLIC_URL": "wss://polls.example/ws",
    "WAMPFLASK_PUBLIC_URL": "https://polls.example",
}


def files() -> dict[str, str]:
    """The files of the site as the page has it, by name."""
    app_folder = Path("/srv/wampflask/app")
    with TemporaryDirectory() as folder:
        made = parameters.of_app(create_app({"INSTANCE": Path(folder) / "instance", **CONFIG}), "wsgi")
    site = replace(
        made,
        folder=app_folder,
        instance=app_folder.parent / "instance",
        bin=app_folder / ".venv" / "bin",
        static=("/static/", app_folder / "static"),
        user="wampflask",
        settings="/srv/wampflask/site.env",
        workers="4",
        threads="8",
    )
    return {
        name: text
        for form, render in FORMS.items()
        for name, text in render(made if form == "compose" else site).items()
    }


def page(rendered: dict[str, str]) -> str:
    """The page with what is rendered now."""
    text = PAGE.read_text(encoding="utf-8")
    return BLOCK.sub(lambda found: f"{found[1]}{rendered[found[2]]}{found[4]}", text)


def main() -> None:
    rendered = files()
    PAGE.write_text(page(rendered), encoding="utf-8")
    COMPOSE.write_text(rendered["compose.yaml"], encoding="utf-8")


if __name__ == "__main__":
    main()
