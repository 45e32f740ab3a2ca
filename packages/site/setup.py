"""What setup.cfg cannot say: the site needs the library of its own version, and what npm has fetched."""

import sys
from pathlib import Path

from setuptools import setup

if not Path("wampflask/static/vendor").is_dir():
    sys.exit("static/vendor is missing, which pages load: 'make setup' in the checkout fetches it.")
version = Path("VERSION").read_text(encoding="utf-8").strip()
others = Path("requirements.txt").read_text(encoding="utf-8").splitlines()
setup(install_requires=[f"wampflask == {version}", *others])
