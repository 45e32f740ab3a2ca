"""“Add a host”, as it stands on the page: the lines are run as they are, in an empty folder, and the host appears."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rig.live_site import LiveSite
from rig.people import Admin
from tests.browser.conftest import OpenPage
from wampflask.router.wire import wait_until

INSTALLING = 150.0
"""Seconds for a new environment and the packages from the registry."""
WITHOUT_CLIPBOARD = "Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => undefined });"


def lines_for(page: Page, way: str) -> str:
    """What the page says for one way of running an agent."""
    page.goto("/hosts/add")
    page.get_by_role("button", name="Create token").click()
    return str(page.locator(f'[data-way="{way}"]').text_content())


def online(site: LiveSite, admin: Admin) -> set[str]:
    page = admin.context.request.get(f"{site.url}/dashboard/").text()
    return set(re.findall(r'data-host="(\w+)" data-state="online"', page))


@pytest.mark.timeout(INSTALLING + 60)
def test_the_lines_are_run_as_they_are(site: LiveSite, admin: Admin, open_page: OpenPage, tmp_path: Path) -> None:
    lines = lines_for(open_page("/hosts/add", as_admin=True), "terminal")
    home = tmp_path / "home"
    home.mkdir()
    before = online(site, admin)
    known = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "LANG"))}
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if not p.endswith("/.venv/bin"))
    env = {**known, "HOME": str(home), "PATH": path}
    log = tmp_path / "log"
    with log.open("wb") as said:
        shell = subprocess.Popen(
            ["bash", "-e", "-c", lines], cwd=home, env=env, stdout=said, stderr=said, start_new_session=True
        )
    try:
        wait_until(lambda: shell.poll() is not None or len(online(site, admin) - before) == 1, INSTALLING, 0.5)
        assert shell.poll() is None, log.read_text()
        [host] = online(site, admin) - before
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(10)
    admin.post(f"/hosts/{host}/remove", f"/hosts/{host}/")


def test_every_line_has_one_address(open_page: OpenPage, site: LiveSite) -> None:
    page = open_page("/hosts/add", as_admin=True)
    for way in ("terminal", "systemd", "container", "uv"):
        lines = lines_for(page, way)
        assert lines.count(site.public_url) == lines.count("http"), lines
        done = subprocess.run(["bash", "-n"], input=lines, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_lines_are_copied_without_a_clipboard_too(open_page: OpenPage) -> None:
    page = open_page("/hosts/add", as_admin=True)
    page.add_init_script(WITHOUT_CLIPBOARD)
    lines = lines_for(page, "terminal")
    page.get_by_role("button", name="Copy commands").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    box = page.get_by_label("What is it for?")
    page.evaluate("document.querySelector('form.card').append(document.createElement('textarea'))")
    pasted = page.locator("form.card textarea")
    pasted.focus()
    page.keyboard.press("Control+V")
    assert pasted.input_value() == lines
    expect(box).to_have_value("")
