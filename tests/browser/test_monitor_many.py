"""Many hosts at once: a smaller sister of ``python -m bench.monitor``, which has 500 of them."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from rig.many_hosts import lines, run

HOSTS, SECONDS = 60, 12


def test_nothing_is_lost_and_everybody_is_shown(browser: Browser, tmp_path: Path) -> None:
    result = run(browser, tmp_path, HOSTS, SECONDS)
    print("\n".join(lines(result, HOSTS, SECONDS)))
    assert result.said["published"] == result.said["stored"] == result.readings == HOSTS * SECONDS
    assert (result.shown, result.online) == (HOSTS, HOSTS)
