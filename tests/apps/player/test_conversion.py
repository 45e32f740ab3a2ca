"""Uploads that browsers do not play: converted by a real ffmpeg, bounded, cancelled; and what the pages say."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from flask import Flask

from tests.apps.player.test_views import upload
from tests.apps.visiting import Visitor
from wampflask import Cancelled
from wampflask.apps.errors import Invalid
from wampflask.apps.player import conversion, ffmpeg, media
from wampflask.apps.player.conversion import conversions
from wampflask.worker import TaskWorker

PICTURE = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:duration=2"]
SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:duration=2"]
SAMPLES = {
    "film.avi": [*PICTURE, *SOUND, "-c:v", "mpeg4", "-c:a", "libmp3lame"],
    "film.mkv": [*PICTURE, "-c:v", "libvpx", "-deadline", "realtime"],
    "film.wmv": [*PICTURE, *SOUND, "-c:v", "wmv2", "-c:a", "wmav2"],
    "film.ts": [*PICTURE, "-c:v", "mpeg2video"],
    "film.flv": [*PICTURE, "-c:v", "flv"],
    "song.wma": [*SOUND, "-c:a", "wmav2"],
    "song.aiff": SOUND,
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files of every kind."""
    if not ffmpeg.is_installed():
        pytest.fail("These tests need ffmpeg: apt-get install ffmpeg.")
    folder = tmp_path_factory.mktemp("samples")
    for name, how in SAMPLES.items():
        command: list[str | Path] = ["ffmpeg", "-v", "error", *how, folder / name]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
    return folder


@pytest.fixture
def folder(app: Flask) -> Path:
    return Path(app.instance_path) / media.FOLDER


def work(app: Flask) -> None:
    """Do what a worker does, in this thread."""
    TaskWorker(app, ["media"]).run_waiting()


@pytest.mark.parametrize("name", SAMPLES)
def test_an_upload_is_converted(name: str, app: Flask, admin: Visitor, folder: Path, samples: Path) -> None:
    assert f"{name} is converted now." in upload(admin, name, (samples / name).read_bytes()).text
    work(app)
    stem = Path(name).stem
    expected = (
        media.Item(f"{stem}.mp3", "audio/mpeg", 0) if stem == "song" else media.Item(f"{stem}.webm", "video/webm", 0)
    )
    (made,) = media.list_media(folder)
    assert made._replace(size=0) == expected
    assert ffmpeg.look_into(samples / name).length == pytest.approx(2, abs=0.5)
    assert not list((folder / conversion.FOLDER).iterdir())
    with app.app_context():
        assert conversion.listed() == []


def test_what_is_in_a_free_codec_is_only_copied(samples: Path, tmp_path: Path) -> None:
    film = ffmpeg.look_into(samples / "film.mkv")
    assert (film.video, film.sound) == ("vp8", "")
    ffmpeg.convert(samples / "film.mkv", film, tmp_path / "made", 10**9, lambda _: None)
    command: list[str | Path] = [
        "ffprobe",
        "-v",
        "error",
        "-show_entries",
        "stream=codec_name",
        "-of",
        "csv=p=0",
        tmp_path / "made",
    ]
    assert subprocess.check_output(command, timeout=60).split() == [b"vp8"]


def test_progress_grows_to_one(samples: Path, tmp_path: Path) -> None:
    heard: list[float] = []
    film = ffmpeg.look_into(samples / "film.avi")
    ffmpeg.convert(samples / "film.avi", film, tmp_path / "made", 10**9, heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1, abs=0.1)


def test_the_pages_say_what_happens(app: Flask, admin: Visitor, visitor: Visitor, samples: Path) -> None:
    upload(admin, "Night & day.avi", (samples / "film.avi").read_bytes())
    page = admin.get("/admin/media/").text
    assert "<b>Night &amp; day.avi</b>" in page
    assert "Waiting to begin" in page
    assert "<button>Cancel</button>" in page
    with app.app_context():
        (task,) = conversion.listed()
    assert task.id in page
    public = visitor.get("/player/").text
    assert "Being converted for browsers: Night &amp; day." in public
    assert task.id not in public, "who has the id may cancel"
    answer = admin.post(
        f"/wamp/tasks/{task.id}/cancel", form="/admin/media/", headers={"Referer": "http://localhost/admin/media/"}
    )
    assert answer.status_code == 303
    work(app)
    assert "Being converted" not in admin.get("/admin/media/").text + visitor.get("/player/").text


def test_cancelling_needs_the_forms_token(app: Flask, admin: Visitor, samples: Path) -> None:
    upload(admin, "film.avi", (samples / "film.avi").read_bytes())
    with app.app_context():
        (task,) = conversion.listed()
        assert admin.client.post(f"/wamp/tasks/{task.id}/cancel").status_code == 400
        assert conversion.listed()[0].state == "waiting"


DAMAGED = {
    "nothing": (b"RIFF\x24\0\0\0AVI LIST", "It is damaged"),
    "a playlist in disguise": (b"\x1aE\xdf\xa3matroska\n#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "It is damaged"),
}


@pytest.mark.parametrize(("content", "words"), DAMAGED.values(), ids=DAMAGED)
def test_what_cannot_be_converted_is_said(
    content: bytes, words: str, app: Flask, admin: Visitor, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upload(admin, "film.avi", content)
    work(app)
    assert f"It failed: {words}" in admin.get("/admin/media/").text
    assert media.list_media(folder) == []
    assert "ffprobe cannot read" in caplog.text


def test_ffmpeg_opens_no_other_file(tmp_path: Path, samples: Path) -> None:
    """A text that names other files is a film to ffmpeg, unless it is forbidden."""
    shutil.copy(samples / "film.avi", tmp_path / "secret.avi")
    for name, text in {
        "list": f"ffconcat version 1.0\nfile '{tmp_path}/secret.avi'\n",
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{tmp_path}/secret.avi\n#EXT-X-ENDLIST\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(Invalid, match="damaged"):
            ffmpeg.look_into(tmp_path / name)
        with pytest.raises(Invalid, match="damaged"):
            ffmpeg.convert(tmp_path / name, ffmpeg.Film("mpeg4", "", 2), tmp_path / "made", 10**9, lambda _: None)


def test_a_result_that_is_too_large_is_refused(samples: Path, tmp_path: Path) -> None:
    film = ffmpeg.look_into(samples / "film.avi")
    with pytest.raises(Invalid, match="larger than files may be"):
        ffmpeg.convert(samples / "film.avi", film, tmp_path / "made", 4_000, lambda _: None)


def test_a_film_that_is_too_long_is_refused(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "LENGTH_MAX", 1)
    with pytest.raises(Invalid, match="longer than"):
        ffmpeg.look_into(samples / "film.avi")


def test_cancelling_ends_ffmpeg(tmp_path: Path) -> None:
    source = tmp_path / "long.avi"
    how = ["-f", "lavfi", "-i", "testsrc=size=640x480:rate=25:duration=20", "-c:v", "mpeg4"]
    subprocess.run(["ffmpeg", "-v", "error", *how, source], check=True, stdin=subprocess.DEVNULL, timeout=60)
    before = set(psutil.Process(os.getpid()).children(recursive=True))  # of other tests
    running: list[psutil.Process] = []

    def stop(_: float) -> None:
        running[:] = set(psutil.Process(os.getpid()).children(recursive=True)) - before
        assert [process.nice() for process in running if process.name() == "ffmpeg"] in ([], [15])
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        ffmpeg.convert(source, ffmpeg.look_into(source), tmp_path / "made", 10**9, stop)
    assert running
    assert not any(process.is_running() for process in running)


def test_without_ffmpeg_the_upload_says_so(
    admin: Visitor, folder: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: False)
    text = upload(admin, "film.mkv", (samples / "film.mkv").read_bytes()).text
    assert "Browsers cannot play Matroska (.mkv), and ffmpeg, which would convert it, is not installed" in text
    assert not folder.exists()


def test_too_many_at_once_are_refused(admin: Visitor, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "WAITING_MAX", 1)
    content = (samples / "film.mkv").read_bytes()
    upload(admin, "film.mkv", content)
    assert "1 files wait to be converted already" in upload(admin, "film.mkv", content).text


def test_a_name_that_is_taken_gets_a_number(app: Flask, admin: Visitor, folder: Path, samples: Path) -> None:
    content = (samples / "film.mkv").read_bytes()
    for _ in range(3):
        upload(admin, "film.mkv", content)
    work(app)
    assert [item.name for item in media.list_media(folder)] == ["film (2).webm", "film (3).webm", "film.webm"]


def test_what_was_kept_for_nothing_is_deleted(app: Flask, admin: Visitor, folder: Path, samples: Path) -> None:
    content = (samples / "film.mkv").read_bytes()
    for _ in range(2):
        upload(admin, "film.mkv", content)
    with app.app_context():
        cancelled, _ = conversion.listed()
        assert conversions.tasks()[0].id == cancelled.id
        media_files = {path.name: path for path in (folder / conversion.FOLDER).iterdir()}
        from wampflask.tasks import cancel

        assert cancel(cancelled.id)
        conversion.clean_up(folder)
        assert len(list((folder / conversion.FOLDER).iterdir())) == 2  # it may be a minute ago
        for path in media_files.values():
            os.utime(path, (time.time() - 3600,) * 2)
        conversion.clean_up(folder)
    assert [path.name for path in (folder / conversion.FOLDER).iterdir()] == sorted(
        set(media_files) - {str(cancelled.args[0])}
    )


def test_save_still_refuses_what_is_to_be_converted(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="Browsers cannot play AVI"):
        media.save(tmp_path, "film.avi", io.BytesIO(b"RIFF\x24\0\0\0AVI LIST"), 10**6)
