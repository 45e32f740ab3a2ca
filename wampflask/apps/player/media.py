"""The media folder: files are recognized by their content, not by their name."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import unicodedata
from pathlib import Path
from typing import IO, NamedTuple

from wampflask.apps.errors import Conflict, Invalid, NotFound, SiteError

FOLDER = "media"
"""In the instance folder."""

KILO, MEGA = 1_000, 1_000_000
NAME_MAX = 150  # bytes of what is taken in
_FILE_NAME_MAX = 255  # bytes that file systems take
_HEAD = 4096  # bytes looked at
_BEGINNINGS = {
    b"fLaC": "audio/flac",
    b"FLV\x01": "video/x-flv",
    b"\x00\x00\x01\xba": "video/mpeg",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "video/x-ms-asf",
}
_MP3 = re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]")  # a tag, or a frame of layer III
_AAC = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

CONVERTED = {
    "video/x-matroska": "Matroska (.mkv)",
    "video/x-msvideo": "AVI",
    "video/x-ms-asf": "Windows Media (.wmv, .wma)",
    "video/x-flv": "Flash video (.flv)",
    "video/mpeg": "MPEG (.mpg)",
    "video/mp2t": "MPEG transport streams (.ts)",
    "audio/aiff": "AIFF",
}
"""Media that browsers do not play, and which are converted."""
_TS_PACKET = 188


class Item(NamedTuple):
    """A file of the folder; ``name`` is untrusted text."""

    name: str
    type: str
    size: int

    @property
    def title(self) -> str:
        """The name without its extension."""
        return Path(self.name).stem


def sniff(head: bytes) -> str | None:
    """Return the type of the media that begins with ``head``, or None when it is unknown."""
    if known := next((kind for start, kind in _BEGINNINGS.items() if head.startswith(start)), None):
        return known
    if head[: 2 * _TS_PACKET + 1 : _TS_PACKET] == b"GGG":
        return "video/mp2t"
    if inner := _CONTAINERS.get(head[:4]) or (_in_mp4 if head[4:8] == b"ftyp" else None):
        return inner(head)
    return "audio/mpeg" if _MP3.match(head) else "audio/aac" if _AAC.match(head) else None


def _in_ebml(head: bytes) -> str | None:
    return "video/webm" if b"webm" in head[:64] else "video/x-matroska" if b"matroska" in head[:64] else None


def _in_mp4(head: bytes) -> str | None:
    return {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4"}.get(head[8:12], "video/mp4")


def _in_ogg(head: bytes) -> str | None:
    return "video/ogg" if b"theora" in head[:64] else "audio/ogg"


def _in_riff(head: bytes) -> str | None:
    return {b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}.get(head[8:12])


def _in_iff(head: bytes) -> str | None:
    return "audio/aiff" if head[8:12] in (b"AIFF", b"AIFC") else None


_CONTAINERS = {b"\x1aE\xdf\xa3": _in_ebml, b"OggS": _in_ogg, b"RIFF": _in_riff, b"FORM": _in_iff}


def find(folder: Path, name: str) -> Item | None:
    """Return the media file ``name``, if it is one."""
    file = folder / name
    if "/" in name or name.startswith(".") or len(name.encode()) > _FILE_NAME_MAX or not file.is_file():
        return None
    with file.open("rb") as handle:
        kind = sniff(handle.read(_HEAD))
        return Item(name, kind, os.fstat(handle.fileno()).st_size) if kind else None


class Piece:
    """A part of a file, to be read like a file: servers send it from the disk, whatever lies before it."""

    def __init__(self, path: Path, start: int, length: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._file.seek(start)
        self._left = length
        self.fileno = self._file.fileno
        self.close = self._file.close

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes, or all that are left."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


def list_media(folder: Path) -> list[Item]:
    """Return everything playable in the folder, by name; other files are skipped."""
    names = sorted((entry.name for entry in folder.iterdir()), key=str.casefold) if folder.is_dir() else []
    return [item for name in names if _is_text(name) and (item := find(folder, name))]


def _is_text(name: str) -> bool:
    """Return whether a file name is UTF-8; others cannot stand in an address."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def clean_name(name: str) -> str:
    """Return the last part of a path as a file name: printable, no longer than a file system takes, never hidden."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    plain = _CONTROL.sub("", last).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    if not dot:
        stem, ending = plain, ""
    ending = ending[:10]
    room = NAME_MAX - len(ending.encode()) - 1
    stem = stem.encode()[:room].decode(errors="ignore").rstrip(" .") or "media"
    return f"{stem}.{ending}" if ending else stem


def check(name: str, source: IO[bytes], limit: int) -> Item:
    """Return what an uploaded file is.

    :param source: seekable, at any place.
    :param limit: bytes.
    :raises Invalid: too large, empty, or not media.
    """
    size = source.seek(0, os.SEEK_END)
    if size > limit:
        raise Invalid(f"The file has {megabytes(size)}; at most {megabytes(limit)} are allowed (WAMPFLASK_MEDIA_MAX).")
    source.seek(0)
    kind = sniff(source.read(_HEAD))
    if kind is None:
        raise Invalid("Unsupported file type. Choose a WebM, MP4, Ogg, MP3, M4A, FLAC or WAV file.")
    return Item(clean_name(name), kind, size)


def save(folder: Path, name: str, source: IO[bytes], limit: int) -> Item:
    """Store an uploaded file that browsers play, whole or not at all: :func:`check` and :func:`store` in one.

    :raises Invalid: browsers do not play it.
    """
    item = check(name, source, limit)
    if item.type in CONVERTED:
        raise Invalid(f"Browsers cannot play {CONVERTED[item.type]}. Convert it to WebM or MP4 first.")
    store(folder, item.name, source)
    return item


def store(folder: Path, name: str, source: IO[bytes]) -> None:
    """Store a file, whole or not at all.

    :param source: seekable, at any place.
    :raises Conflict: a file with this name exists.
    :raises SiteError: it could not be written.
    """
    source.seek(0)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{secrets.token_hex(8)}"
    try:
        with draft.open("xb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        os.link(draft, folder / name)
    except FileExistsError:
        raise Conflict(f"There is a file named {name} already. Delete it first, or rename yours.") from None
    except OSError as error:
        raise SiteError(f"The file could not be saved: {error.strerror}.") from None
    finally:
        draft.unlink(missing_ok=True)


def delete(folder: Path, name: str) -> None:
    """Delete a media file.

    :raises NotFound: there is no such file.
    """
    if find(folder, name) is None:
        raise NotFound("This file was deleted already.")
    (folder / name).unlink(missing_ok=True)


def megabytes(size: int) -> str:
    """Format a number of bytes in MB, or in kB below one."""
    return f"{size / MEGA:,.1f} MB" if size >= MEGA else f"{size / KILO:,.0f} kB"
