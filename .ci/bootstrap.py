"""Make what a checkout needs: `python3 .ci/bootstrap.py run` (or `test`). Called by the Makefile.

This file runs on any Python, old ones included, just far enough to say that it is too old.
"""

import sys

OLDEST = (3, 11)

if sys.version_info < OLDEST:
    message = "wampflask: needs Python {} or newer, and this is {} ({}). Name another: make run PYTHON=python3.12\n"
    versions = [".".join(str(part) for part in version[:2]) for version in (OLDEST, sys.version_info)]
    sys.stderr.write(message.format(versions[0], versions[1], sys.executable))
    sys.exit(1)

import setup_steps  # noqa: E402 -- not before the check

if __name__ == "__main__":
    sys.exit(setup_steps.main(sys.argv[1:]))
