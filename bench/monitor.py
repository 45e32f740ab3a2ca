"""500 hosts at one report a second for a minute, against a real router and a real site: what is lost, what it costs.

Run as ``python -m bench.monitor [hosts] [seconds]``. The hosts are one process (``rig/hosts.py``); a dashboard is open
in Chromium the whole time, traced. The browser has the last core for itself, as the reader has a computer of their own;
hub, router and hosts share the others.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from rig.browser import chromium
from rig.many_hosts import LONG_TASK, lines, run

HOSTS = 500
SECONDS = 60


def main() -> int:
    """Run and print; 1 when something was lost or the page was not usable."""
    hosts, seconds = (int(text) for text in (*sys.argv[1:], *map(str, (HOSTS, SECONDS)[len(sys.argv) - 1 :])))
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        os.sched_setaffinity(0, cores[:-1] or cores)
        result = run(browser, Path(folder), hosts, seconds)
    for line in lines(result, hosts, seconds):
        print(line, flush=True)
    lost = hosts * seconds - min(result.said["stored"], result.readings)
    print(f"lost: {lost}")
    return 0 if not lost and not any(one > LONG_TASK for one in result.long_tasks) else 1


if __name__ == "__main__":
    sys.exit(main())
