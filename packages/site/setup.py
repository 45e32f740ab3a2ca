"""What setup.cfg cannot say: the site needs the library of its own version, and what npm has fetched and built."""

import sys
from pathlib import Path

from setuptools import setup

for made in ("vendor", "built"):
    if not Path("wampflask/static", made).is_dir():
        sys.exit(f"static/{made} is missing, which pages load: 'make setup' in the checkout makes it.")
version = Path("VERSION").read_text(encoding="utf-8").strip()
others = Path("requirements.txt").read_text(encoding="utf-8").splitlines()
setup(install_requires=[f"wampflask == {version}", *others])
