"""``make bench``: every promise of the README, measured in one run; exits with 1 when one is missed."""

from __future__ import annotations

import sys

from . import agent, fanout, live, monitor, sessions, verbs, votes


def main() -> int:
    """Print a line a promise."""
    kept = True
    for program in (verbs, fanout, live, sessions):
        for ratio in program.measure():
            print(ratio, flush=True)
            kept = kept and ratio.kept
    lines, cheap = agent.measure()
    for line in [*lines, *votes.measure()]:
        print(line, flush=True)
    whole = monitor.main() == 0
    return 0 if kept and cheap and whole else 1


if __name__ == "__main__":
    sys.exit(main())
