"""``python -m wampflask.router FOLDER``: become the router of a node's folder as it was rendered last.

It loads no app, so that a router that has crashed is there again the sooner.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .node import RouterError, become


def main() -> None:
    """Become the router of the folder that the command line names."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and the folder
        sys.exit("usage: python -m wampflask.router FOLDER")
    try:
        become(Path(sys.argv[1]), loglevel="warn")
    except RouterError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
