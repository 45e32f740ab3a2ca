"""The media folder: what counts as media, what names become, and what an upload may be."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from wampflask.apps.errors import SiteError
from wampflask.apps.paths import resource
from wampflask.apps.player import media

CLOCK = (resource("static") / "media" / "clock.webm").read_bytes()

HEADS = {
    "video/webm": CLOCK[:100],
    "video/x-matroska": b"\x1aE\xdf\xa3\x93B\x82\x88matroska",
    "video/mp4": b"\0\0\0\x20ftypisom\0\0\2\0",
    "audio/mp4": b"\0\0\0\x20ftypM4A \0\0\2\0",
    "video/quicktime": b"\0\0\0\x14ftypqt  \0\0\2\0",
    "audio/ogg": b"OggS\0\2" + b"\0" * 20 + b"\x01\x13OpusHead",
    "video/ogg": b"OggS\0\2" + b"\0" * 20 + b"\x01*\x80theora",
    "audio/wav": b"RIFF\x24\0\0\0WAVEfmt ",
    "video/x-msvideo": b"RIFF\x24\0\0\0AVI LIST",
    "audio/flac": b"fLaC\0\0\0\x22",
    "audio/mpeg": b"ID3\x04\0\0\0\0\0\0",
    "audio/aac": b"\xff\xf1\x50\x80",
    "video/x-ms-asf": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9",
    "video/x-flv": b"FLV\x01\x05\0\0\0\x09",
    "video/mpeg": b"\0\0\x01\xba\x44",
    "video/mp2t": (b"G" + b"\0" * 187) * 3,
    "audio/aiff": b"FORM\0\0\x10\0AIFFCOMM",
}
NO_MEDIA = [
    b"",
    b"<!doctype html><script>alert(1)</script>",
    b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    b"\x89PNG\r\n\x1a\n",
    b"%PDF-1.7",
    b"MZ\x90\0",
    b"\x1aE\xdf\xa3 something else",
    b"RIFF\x24\0\0\0WEBP",
    b"FORM\0\0\x10\0ILBM",
    b"G" + b"\0" * 187 + b"GET / HTTP/1.1",
    b"GIF89a",
    b"#EXTM3U\nfile:///etc/passwd",
    b"ffconcat version 1.0\nfile /etc/passwd",
    b"\xff\xfe\x00\x00",
    b"\xff\xd8\xff\xe0",
]


@pytest.mark.parametrize(("kind", "head"), HEADS.items())
def test_media_are_known_by_their_content(kind: str, head: bytes) -> None:
    assert media.sniff(head) == kind


def test_an_mp3_without_a_tag_is_known_by_its_first_frame() -> None:
    assert media.sniff(b"\xff\xfb\x90\x64\0\0") == "audio/mpeg"


@pytest.mark.parametrize("head", NO_MEDIA)
def test_what_is_no_media_is_none(head: bytes) -> None:
    assert media.sniff(head) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("film.webm", "film.webm"),
        ("C:\\Users\\me\\film.webm", "film.webm"),
        ("../../etc/passwd", "passwd"),
        ("/etc/cron.d/evil.mp4", "evil.mp4"),
        (".htaccess", "htaccess"),
        ("...", "media"),
        ("", "media"),
        ("a\nb\0c\u202egpj.webm", "abcgpj.webm"),
        ('<img src=x onerror="alert(1)">.webm', '<img src=x onerror="alert(1)">.webm'),
        ("é" * 200 + ".webm", "é" * 72 + ".webm"),
        ("e\u0301.webm", "é.webm"),
    ],
)
def test_names_are_made_harmless_for_the_disk(given: str, kept: str) -> None:
    assert media.clean_name(given) == kept
    assert len(kept.encode()) <= media.NAME_MAX


def test_a_file_is_kept_whole(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    item = media.save(folder, "clock.webm", io.BytesIO(CLOCK), 10**6)
    assert item == media.Item("clock.webm", "video/webm", len(CLOCK))
    assert (folder / "clock.webm").read_bytes() == CLOCK
    assert [path.name for path in folder.iterdir()] == ["clock.webm"]
    assert media.list_media(folder) == [item]
    media.delete(folder, "clock.webm")
    assert media.list_media(folder) == []


@pytest.mark.parametrize(
    ("content", "limit", "words"),
    [
        (CLOCK, 1000, "has 223 kB; at most 1 kB are allowed"),
        (b"<html>", 10**6, "Unsupported file type"),
        (b"", 10**6, "Unsupported file type"),
        (HEADS["video/x-matroska"], 10**6, "Matroska"),
        (HEADS["video/x-msvideo"], 10**6, "AVI"),
    ],
)
def test_what_is_not_taken_leaves_nothing(tmp_path: Path, content: bytes, limit: int, words: str) -> None:
    with pytest.raises(SiteError, match=words):
        media.save(tmp_path / "media", "film.webm", io.BytesIO(content), limit)
    assert not list(tmp_path.rglob("*.webm"))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    media.save(tmp_path, "a.webm", io.BytesIO(CLOCK), 10**6)
    with pytest.raises(SiteError, match="already"):
        media.save(tmp_path, "a.webm", io.BytesIO(HEADS["video/mp4"]), 10**6)
    assert (tmp_path / "a.webm").read_bytes() == CLOCK
    assert [path.name for path in tmp_path.iterdir()] == ["a.webm"]


def test_what_lies_in_the_folder_without_being_media_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notes.webm").write_text("not a film")
    (tmp_path / ".hidden.webm").write_bytes(CLOCK)
    (tmp_path / "folder.webm").mkdir()
    (tmp_path / "b.mp4").write_bytes(HEADS["video/mp4"])
    (tmp_path / "A.ogg").write_bytes(HEADS["audio/ogg"])
    assert [item.name for item in media.list_media(tmp_path)] == ["A.ogg", "b.mp4"]
    assert media.list_media(tmp_path / "nowhere") == []
    assert media.find(tmp_path, "../b.mp4") is None
    assert media.find(tmp_path, ".hidden.webm") is None


def test_deleting_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="deleted already"):
        media.delete(tmp_path, "gone.webm")


@pytest.mark.parametrize(("size", "words"), [(0, "0 kB"), (999_999, "1,000 kB"), (12_345_678, "12.3 MB")])
def test_sizes_read_well(size: int, words: str) -> None:
    assert media.megabytes(size) == words


def test_the_samples_are_small_and_what_they_are_said_to_be() -> None:
    for name in ("clock.webm", "tune.webm"):
        content = (resource("static") / "media" / name).read_bytes()
        assert media.sniff(content) == "video/webm"
        assert len(content) < 300_000
