"""``python -m wampflask new``, and what it makes: started by the commands that it prints, and live."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.browsing import Troubles, page_in
from tests.browser.developed import developed, folder_for_router
from wampflask.__main__ import main


def new(folder: Path) -> Result:
    return CliRunner().invoke(main, ["new", str(folder)])


def test_a_new_app_is_live_in_two_windows(context: BrowserContext, troubles: Troubles) -> None:
    with folder_for_router() as folder:
        made = subprocess.run(
            [sys.executable, "-m", "wampflask", "new", folder / "notes"], capture_output=True, text=True, check=True
        )
        assert "flask --app app wamp dev" in made.stdout
        with developed(folder / "notes") as url:
            one, other = (page_in(context, troubles) for _ in range(2))
            for page in (one, other):
                page.goto(url)
                expect(page.get_by_role("heading")).to_have_text("notes")
                expect(page.locator("html")).to_have_attribute("data-connection", "open", timeout=30_000)
            add(one, "milk <b>")
            for page in (one, other):
                expect(page.locator("[data-key]")).to_have_text("milk <b>", timeout=20_000)


def add(page: Page, text: str) -> None:
    page.get_by_label("Note").fill(text)
    page.get_by_role("button", name="Add").click()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("mine")
    done = new(tmp_path)
    assert done.exit_code == 1
    assert "is not empty" in done.output
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]


def test_an_empty_folder_will_do_and_a_missing_one_is_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "far" / "below"):
        assert new(folder).exit_code == 0
        assert {"app.py", ".gitignore", "requirements.txt"} < {file.name for file in folder.iterdir()}


def test_a_name_is_text_in_its_page(tmp_path: Path) -> None:
    new(tmp_path / "a<b>&$name")
    assert "<title>a&lt;b&gt;&amp;$name</title>" in (tmp_path / "a<b>&$name" / "templates" / "home.html").read_text()


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = new(tmp_path / "file" / "below")
    assert done.exit_code == 1
    assert "Cannot write" in done.output


def test_it_is_as_short_as_the_documents_report(tmp_path: Path) -> None:
    new(tmp_path / "notes")
    lines = (tmp_path / "notes" / "app.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 22
