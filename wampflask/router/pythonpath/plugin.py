"""Makes ``wampflask.plugin`` known to Crossbar as ``plugin``.

The library's own folder cannot be on Crossbar's path: Crossbar's environment has no Flask, and the library's modules
would hide those of other packages that have the same name.
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "plugin")]
