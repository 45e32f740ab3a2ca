"""What setup.cfg cannot say: the site needs the library of its own version."""

from pathlib import Path

from setuptools import setup

version = Path("VERSION").read_text(encoding="utf-8").strip()
others = Path("requirements.txt").read_text(encoding="utf-8").splitlines()
setup(install_requires=[f"wampflask == {version}", *others])
