"""Host monitoring in a browser, with real agents in processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from rig.agent import AGENT
from rig.live_site import LiveSite
from rig.people import Admin
from tests.browser.agents import HostAgent, agent_of
from tests.browser.axe import serious
from tests.browser.browsing import ROUTER_GONE, Troubles
from tests.browser.conftest import OpenPage
from wampflask.router.wire import CALL, wait_until

NASTY = '<img src=x onerror="document.title=1">'
SWITCHES = ("show_cpus", "show_memory", "show_disk", "show_network", "show_temperatures", "show_system")
PERCENT = re.compile(r"^\d+%$")


def is_live(page: Page) -> None:
    """Wait until the page has subscribed and its snapshot is shown."""
    expect(page.locator("html")).to_have_attribute("data-live", "true", timeout=20_000)


def card(page: Page, agent: HostAgent) -> Locator:
    return page.locator(f'.host[data-host="{agent.host}"]')


def state(page: Page, agent: HostAgent) -> Locator:
    return card(page, agent).locator('[data-part="state"]')


def figure(page: Page, agent: HostAgent, name: str) -> Locator:
    return card(page, agent).locator(f'[data-part="{name}"]')


def edit(admin: Admin, agent: HostAgent, **changes: str | None) -> str:
    """Save a host's settings as an admin's form does; None switches off. What the page says."""
    fields = {"frequency": "5", "handover": "1", **dict.fromkeys(SWITCHES, "y"), **changes}
    page = f"/hosts/{agent.host}/"
    answer = admin.post(f"{page}settings", page, **{name: value for name, value in fields.items() if value is not None})
    assert answer.ok, answer.text()
    found = re.search(r'id="saved"[^>]*>([^<]*)', answer.text())
    assert found, answer.text()
    return found[1]


def history(admin: Admin, site: LiveSite, agent: HostAgent) -> list[float]:
    """The times of what the hub has stored of the last hour."""
    answer = admin.context.request.get(f"{site.url}/hosts/{agent.host}/history.json?range=1h")
    return [float(moment) for moment in answer.json()["times"]]


@pytest.fixture
def agent(site: LiveSite, admin: Admin, tmp_path: Path) -> Iterator[HostAgent]:
    """A host that is online; removed afterwards."""
    with agent_of(site, tmp_path / "agent", "web1") as running:
        running.start(admin.new_token())
        assert wait_until(lambda: is_known(admin, site, running), 30), running.log()
        yield running
        running.stop()
        admin.post(f"/hosts/{running.host}/remove", f"/hosts/{running.host}/")


def is_known(admin: Admin, site: LiveSite, agent: HostAgent) -> bool:
    page = admin.context.request.get(f"{site.url}/dashboard/").text()
    return f'data-host="{agent.host}" data-state="online"' in page


def test_from_the_empty_page_to_a_live_host(site: LiveSite, admin: Admin, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/dashboard/", as_admin=True)
    is_live(page)
    expect(page.get_by_role("heading", name="No hosts yet")).to_be_visible()
    adding = open_page("/dashboard/", of=page)
    adding.get_by_role("button", name="Show the commands").click()
    command = adding.locator('[data-way="terminal"]').inner_text().splitlines()[-1]
    assert command.startswith(f"venv/bin/python agent.py --server {site.url} --token ")
    with agent_of(site, tmp_path / "agent", "db1") as agent:
        agent.start(command.split()[-1])
        expect(state(page, agent)).to_have_text("Online", timeout=30_000)
        expect(card(page, agent).locator('[data-part="title"]')).to_have_text("db1")
        for name in ("cpu", "memory", "disk"):
            expect(figure(page, agent, name)).to_have_text(PERCENT, timeout=20_000)
        expect(page.get_by_role("heading", name="No hosts yet")).to_be_hidden()
        expect(page.locator('[data-part="summary"]')).to_have_text("1 online")
        page.get_by_label("Filter by name").fill("nothing like it")
        expect(card(page, agent)).to_be_hidden()
        agent.stop()
        page.get_by_label("Filter by name").fill("DB")
        expect(state(page, agent)).to_contain_text("Offline, last seen")
        admin.post(f"/hosts/{agent.host}/remove", f"/hosts/{agent.host}/")
        expect(card(page, agent)).to_have_count(0)


def test_a_switch_is_thrown_on_every_open_page_within_a_second(
    admin: Admin, open_page: OpenPage, agent: HostAgent
) -> None:
    dashboard = open_page("/dashboard/", as_admin=True)
    page = open_page(f"/hosts/{agent.host}/", as_admin=True)
    is_live(page)
    is_live(dashboard)
    expect(figure(dashboard, agent, "cpu")).to_have_text(PERCENT)
    expect(page.locator('[data-chart="cpu"] canvas')).to_be_visible()
    began = time.monotonic()
    assert edit(admin, agent, show_cpus=None).startswith("Applied ")
    said = time.monotonic()
    expect(figure(dashboard, agent, "cpu")).to_be_hidden(timeout=1000)
    expect(page.locator('[data-chart="cpu"]')).to_be_hidden(timeout=1000)
    print(f"CPU was gone {time.monotonic() - said:.2f} s after the answer, {time.monotonic() - began:.2f} s in all")
    edit(admin, agent)
    expect(figure(dashboard, agent, "cpu")).to_have_text(PERCENT)
    edit(admin, agent, disabled="y")
    expect(state(dashboard, agent)).to_have_text("Disabled")
    edit(admin, agent)
    expect(state(dashboard, agent)).to_have_text("Online")


def test_the_pace_is_the_admins_and_a_second_while_somebody_looks(
    site: LiveSite, admin: Admin, open_page: OpenPage, agent: HostAgent
) -> None:
    edit(admin, agent, frequency="3600")
    wait_until(lambda: len(history(admin, site, agent)) > 0, 10)
    quiet = len(history(admin, site, agent))
    page = open_page("/dashboard/", as_admin=True)
    is_live(page)
    assert wait_until(lambda: len(history(admin, site, agent)) >= quiet + 4, 20), "nobody told the agent to hurry"
    page.close()
    assert wait_until(lambda: is_still(admin, site, agent), 20), "the agent did not return to its own pace"
    edit(admin, agent, frequency="0.5")
    before = len(history(admin, site, agent))
    assert wait_until(lambda: len(history(admin, site, agent)) >= before + 6, 15), "the new pace was not taken"


def is_still(admin: Admin, site: LiveSite, agent: HostAgent) -> bool:
    """Whether nothing new is stored for some seconds."""
    before = history(admin, site, agent)
    return not wait_until(lambda: len(history(admin, site, agent)) > len(before), 4)


def test_killed_offline_at_once_and_back_without_a_hole(
    site: LiveSite, admin: Admin, open_page: OpenPage, agent: HostAgent
) -> None:
    edit(admin, agent, frequency="1")
    page = open_page("/dashboard/", as_admin=True)
    is_live(page)
    expect(state(page, agent)).to_have_text("Online")
    began = time.monotonic()
    agent.kill9()
    expect(state(page, agent)).to_contain_text("Offline, last seen")
    print(f"offline was shown {time.monotonic() - began:.2f} s after kill -9")
    agent.start()
    expect(state(page, agent)).to_have_text("Online", timeout=20_000)


def test_an_outage_of_the_router_leaves_no_hole_in_the_history(
    site: LiveSite, admin: Admin, open_page: OpenPage, agent: HostAgent, troubles: Troubles
) -> None:
    troubles.expect(*ROUTER_GONE)
    edit(admin, agent, frequency="1")
    page = open_page(f"/hosts/{agent.host}/", as_admin=True)
    is_live(page)
    assert wait_until(lambda: len(history(admin, site, agent)) >= 3, 20)
    site.node.kill9()
    time.sleep(6)  # the outage: it is the length that is tested
    site.node.start()
    back = time.time()
    assert wait_until(lambda: max(history(admin, site, agent)) > back + 2, 60), agent.log()
    assert wait_until(lambda: biggest_gap(history(admin, site, agent)) < 2.5, 20), history(admin, site, agent)
    times = history(admin, site, agent)
    assert len(times) == len(set(times))
    expect(page.locator('[data-part="state"]')).to_have_text("Online")


def test_an_alert_is_live_acknowledged_and_resolved(admin: Admin, open_page: OpenPage, agent: HostAgent) -> None:
    form = "/admin/alert_rules/new/"
    rule = {"name": "Gone", "metric": "offline", "threshold": "0", "seconds": "0", "enabled": "y", "labels": "here"}
    answer = admin.post(form, form, **rule)
    assert not answer.url.endswith("/new/"), answer.text()
    edit(admin, agent, labels="here")
    page = open_page("/dashboard/", as_admin=True)
    is_live(page)
    expect(state(page, agent)).to_have_text("Online")
    expect(page.locator(".alert")).to_have_count(0)
    agent.stop()
    alert = page.locator(".alert", has_text="web1 is offline")
    expect(alert).to_be_visible(timeout=20_000)
    expect(alert.locator("time")).not_to_contain_text("UTC")
    assert serious(page) == []
    alert.get_by_role("button", name="Acknowledge").click()
    is_live(page)
    expect(alert.locator(".badge")).to_have_text("Acknowledged by asker@example.org")
    agent.start()
    expect(page.locator(".alert")).to_have_count(0, timeout=20_000)
    own = open_page(f"/hosts/{agent.host}/", as_admin=True)
    is_live(own)
    expect(own.locator(".alert .badge")).to_have_text("Resolved")


@pytest.mark.usefixtures("agent")
def test_a_dashboard_asks_once_for_all_hosts(open_page: OpenPage) -> None:
    page = open_page("/dashboard/", as_admin=True)
    is_live(page)
    calls: list[str] = []

    def note(frame: str | bytes) -> None:
        message = json.loads(frame)
        if message[0] == CALL:
            calls.append(message[3])

    page.on("websocket", lambda socket: socket.on("framesent", note))
    page.on("request", lambda request: calls.append(urlsplit(request.url).path) if "json" in request.url else None)
    page.reload()
    is_live(page)
    expect(page.locator('[data-part="summary"]')).to_have_text("1 online")
    assert sorted(set(calls) - {"site.release"}) == ["/dashboard/samples.json", "monitor.hosts", "wampflask.live.fetch"]
    assert len(calls) == len(set(calls))


def test_another_worker_keeps_watch_when_one_dies(site: LiveSite, admin: Admin, agent: HostAgent) -> None:
    for worker in workers_of(site):
        worker.kill()
        worker.wait()
        assert wait_until(lambda: len(workers_of(site)) == 2 and site.is_ready(), 30)
    assert wait_until(lambda: is_known(admin, site, agent), 20)
    agent.stop()
    assert wait_until(lambda: not is_known(admin, site, agent), 60), "nobody keeps watch"
    agent.start()
    assert wait_until(lambda: is_known(admin, site, agent), 20), "nobody keeps watch"


def workers_of(site: LiveSite) -> list[psutil.Process]:
    [master] = [one for one in psutil.Process().children() if f"127.0.0.1:{site.port}" in one.cmdline()]
    return master.children()


def biggest_gap(times: list[float]) -> float:
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


def test_a_hanging_agent_is_offline_after_three_intervals(admin: Admin, open_page: OpenPage, agent: HostAgent) -> None:
    edit(admin, agent, frequency="1")
    page = open_page("/dashboard/", as_admin=True)
    is_live(page)
    expect(figure(page, agent, "cpu")).to_have_text(PERCENT)
    expect(state(page, agent)).to_have_text("Online")
    os.kill(agent.process.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        expect(state(page, agent)).to_contain_text("Offline", timeout=15_000)
        print(f"offline was shown {time.monotonic() - began:.2f} s after the agent hung")
    finally:
        os.kill(agent.process.pid, signal.SIGCONT)
    expect(state(page, agent)).to_have_text("Online", timeout=20_000)


def test_hostile_names_are_text(site: LiveSite, admin: Admin, open_page: OpenPage, tmp_path: Path) -> None:
    with agent_of(site, tmp_path / "agent", NASTY) as agent:
        agent.start(admin.new_token(), program=nasty_program(tmp_path))
        dashboard = open_page("/dashboard/", as_admin=True)
        is_live(dashboard)
        expect(card(dashboard, agent).locator('[data-part="title"]')).to_have_text(NASTY, timeout=30_000)
        edit(admin, agent, labels="<b>paris</b>", notes="<script>document.title=2</script>")
        expect(card(dashboard, agent).locator('[data-part="labels"]')).to_have_text("<b>paris</b>")
        page = open_page(f"/hosts/{agent.host}/", as_admin=True)
        is_live(page)
        expect(page.locator("h1")).to_have_text(NASTY)
        expect(page.locator('[data-part="disks"] td').first).to_have_text(NASTY, timeout=20_000)
        expect(page.locator('[data-chart="disk"] .u-legend')).to_contain_text(NASTY, timeout=20_000)
        page.get_by_role("button", name="Show processes").click()
        expect(page.locator('[data-part="rows"] td', has_text=NASTY).first).to_be_visible(timeout=20_000)
        for shown in (dashboard, page, open_page("/admin/hosts/", as_admin=True)):
            expect(shown.locator("img[src=x]")).to_have_count(0)
            assert shown.title() not in ("1", "2")
        admin.post(f"/hosts/{agent.host}/remove", f"/hosts/{agent.host}/")


def nasty_program(folder: Path) -> Path:
    """The agent on a machine whose disk and processes have such names."""
    program = folder / "nasty.py"
    program.write_text(
        f"""
import sys
sys.path.insert(0, {str(AGENT.parent)!r})
import psutil
from wampflask_agent import cli, disks
NASTY = {NASTY!r}
psutil.Process.name = lambda self: NASTY
mounts = disks.mounts
disks.mounts = lambda root="": [mount._replace(name=NASTY) for mount in mounts(root)[:1]]
sys.exit(cli.main())
""",
        encoding="utf-8",
    )
    return program


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_can_be_read_by_everybody(
    site: LiveSite, admin: Admin, open_page: OpenPage, agent: HostAgent, scheme: str, width: int
) -> None:
    look: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": width, "height": 844}}
    dashboard = open_page("/dashboard/", as_admin=True, **look)
    is_live(dashboard)
    expect(figure(dashboard, agent, "cpu")).to_have_text(PERCENT, timeout=20_000)
    page = open_page(f"/hosts/{agent.host}/", of=dashboard)
    is_live(page)
    page.get_by_role("button", name="Show processes").click()
    expect(page.locator('[data-part="rows"] tr').first).to_be_visible(timeout=20_000)
    expect(page.locator('[data-chart="cpu"] canvas')).to_be_visible()
    for shown in (dashboard, page, open_page("/hosts/add", of=dashboard)):
        assert serious(shown) == []
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth"), shown.url
        if folder := os.environ.get("MONITOR_PICTURES"):
            name = shown.url.split("/")[3]
            Path(folder, f"{name}-{len(shown.url)}-{width}-{scheme}.png").write_bytes(shown.screenshot(full_page=True))


@pytest.mark.usefixtures("agent")
def test_many_hosts_are_edited_together(open_page: OpenPage) -> None:
    page = open_page("/admin/hosts/", as_admin=True)
    for box in page.locator("input.action-checkbox").all():
        box.check()
    page.locator(".dropdown-toggle", has_text="With selected").click()
    page.get_by_role("link", name="Edit…").click()
    page.wait_for_url("**/admin/hosts/bulk?ids=*")
    assert page.locator("form").count()
