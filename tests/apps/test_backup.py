"""Backup and restore: nothing is missing, nothing is half, and nothing is overwritten by accident."""

from __future__ import annotations

import io
import json
import stat
import tarfile
import threading
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, inspect, select

from rig import databases
from tests.apps.conftest import make
from tests.apps.visiting import ADMIN, Visitor, ask
from wampflask.apps.extensions import db
from wampflask.apps.polls import voting
from wampflask.apps.polls.models import Question, Vote
from wampflask.in_memory import MemoryRealm, in_memory

FILM = b"\x1aE\xdf\xa3" + bytes(range(256)) * 100


def run(app: Flask, *arguments: str | Path) -> str:
    result = app.test_cli_runner().invoke(args=["site", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def refusal(app: Flask, *arguments: str | Path) -> str:
    result = app.test_cli_runner().invoke(args=["site", *map(str, arguments)])
    assert result.exit_code == 1, result.output
    return result.output


@pytest.fixture
def other(tmp_path: Path) -> Flask:
    """A site in a new folder, without a database."""
    return make(tmp_path / "other")


@pytest.fixture
def archive(app: Flask, tmp_path: Path) -> Path:
    file = tmp_path / "backup.tar.gz"
    run(app, "backup", file)
    return file


def test_what_was_backed_up_under_writes_is_restored_whole(
    app: Flask, realm: MemoryRealm, other: Flask, tmp_path: Path
) -> None:
    media = Path(app.instance_path) / "media"
    media.mkdir()
    (media / "film.webm").write_bytes(FILM)
    with app.app_context(), app.extensions["wamp"].store.transaction():
        pass  # the library's own database is there
    question, (red, blue, *_) = ask(app)
    stop, begun = threading.Event(), threading.Event()
    votes = [0]

    def write() -> None:
        while not stop.is_set():
            with app.app_context():
                voting.vote(db.session(), question, f"visitor:{votes[0]}", [red, blue][votes[0] % 2 : votes[0] % 2 + 1])
                db.session.commit()
            votes[0] += 1
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(20)
        file = tmp_path / "backup.tar.gz"
        run(app, "backup", file)
    finally:
        stop.set()
        writer.join()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    run(other, "restore", file)
    again = make(Path(other.instance_path))
    with again.app_context():
        found = db.session.scalar(select(func.count()).select_from(Vote))
        assert found
        assert 0 < found <= votes[0]
        asked = db.session.get(Question, question)
        assert asked is not None
        assert asked.voters == sum(choice.votes for choice in asked.choices) == found
        db.engine.dispose()
    assert (Path(other.instance_path) / "media" / "film.webm").read_bytes() == FILM
    for name in ("secrets.json", "ticket.key"):
        assert (Path(other.instance_path) / name).read_bytes() == (Path(app.instance_path) / name).read_bytes()
        assert stat.S_IMODE((Path(other.instance_path) / name).stat().st_mode) == 0o600
    with in_memory(again):
        admin = Visitor(again).log_in(ADMIN)
        assert admin.get("/admin/").status_code == 200
        assert admin.get(f"/polls/{question}/").status_code == 200
    with again.app_context():
        db.engine.dispose()


def test_a_database_is_not_overwritten_without_being_told(app: Flask, realm: MemoryRealm, archive: Path) -> None:
    ask(app)
    assert "--replace" in refusal(app, "restore", archive)
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Question)) == 1
        db.session.remove()
    run(app, "restore", archive, "--replace")
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Question)) == 0
        db.session.remove()


def test_a_backup_is_not_overwritten(app: Flask, archive: Path) -> None:
    before = archive.read_bytes()
    assert "exists" in refusal(app, "backup", archive)
    assert archive.read_bytes() == before


def test_without_a_database_there_is_nothing_to_back_up(other: Flask, tmp_path: Path) -> None:
    assert "flask site init" in refusal(other, "backup", tmp_path / "none.tar.gz")
    assert list(tmp_path.glob("*.gz")) + list(tmp_path.glob(".*")) == []


def altered(archive: Path, **changes: object) -> Path:
    """The archive with another manifest."""
    file = archive.with_name("altered.tar.gz")
    with tarfile.open(archive) as old, tarfile.open(file, "w:gz") as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            data = content.read()
            if member.name == "manifest.json":
                data = json.dumps({**json.loads(data), **changes}).encode()
                member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return file


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": 2}, "format 2"),
        ({"database": "oracle"}, "of a oracle database"),
        ({"revision": "9999"}, "a newer version"),
    ],
)
def test_what_cannot_be_restored_changes_nothing(
    other: Flask, archive: Path, changes: dict[str, object], why: str
) -> None:
    secrets = (Path(other.instance_path) / "secrets.json").read_bytes()
    assert why in refusal(other, "restore", altered(archive, **changes))
    with other.app_context():
        assert inspect(db.engine).get_table_names() == []
        db.engine.dispose()
    assert (Path(other.instance_path) / "secrets.json").read_bytes() == secrets


def test_a_broken_archive_changes_nothing(other: Flask, archive: Path) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    assert "cannot be restored" in refusal(other, "restore", archive)
    with other.app_context():
        assert inspect(db.engine).get_table_names() == []
        db.engine.dispose()


def test_an_archive_cannot_write_elsewhere(other: Flask, archive: Path, tmp_path: Path) -> None:
    evil = tmp_path / "evil.tar.gz"
    with tarfile.open(evil, "w:gz") as made:
        made.addfile(tarfile.TarInfo("../../escaped"))
    assert "cannot be restored" in refusal(other, "restore", evil)
    assert not list(tmp_path.rglob("escaped"))


def test_what_is_made_anew_is_left_out(app: Flask, tmp_path: Path) -> None:
    instance = Path(app.instance_path)
    (instance / "crossbar").mkdir(exist_ok=True)
    (instance / "crossbar" / "config.json").write_text("{}")
    run(app, "backup", tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as made:
        names = made.getnames()
    assert {"manifest.json", "database", "instance/secrets.json", "instance/ticket.key"} <= set(names)
    assert not [name for name in names if "crossbar" in name or "limits.db" in name or name.endswith(("-wal", "-shm"))]
    assert ("instance/wampflask.db" in names) is False
    assert databases.SERVER or (instance / "wampflask.db").exists()
