"""ffmpeg: looks into a file that browsers do not play, and makes one of it that they do.

What is converted was uploaded by somebody and may be made to harm: ffmpeg opens that one file and nothing else, in the
formats that we know, with bounds on pictures, time and output, at low priority, and without a shell. It ends with us.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from wampflask.apps.errors import Invalid
from wampflask.apps.supervise import end_with_parent

PROBE_TIMEOUT = 30.0
LENGTH_MAX = 12 * 3600.0
"""Seconds of a film that is converted."""
WIDTH_MAX = 1920
SILENCE_MAX = 120.0
"""Seconds without a sign of life from ffmpeg, after which it is ended."""
LOOK = 0.25

_READ_ONLY = (
    *("-protocol_whitelist", "file"),
    *("-format_whitelist", "matroska,webm,avi,asf,flv,live_flv,mpeg,mpegts,aiff"),
    *("-max_pixels", "40000000"),
)
_FREE_VIDEO, _FREE_SOUND = {"vp8", "vp9", "av1"}, {"opus", "vorbis"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Film:
    """What is in a file; an empty codec: there is no such stream.

    :param length: seconds; 0 when it is not known.
    """

    video: str
    sound: str
    length: float

    @property
    def ending(self) -> str:
        """Of the name of the converted file."""
        return "webm" if self.video else "mp3"


def is_installed() -> bool:
    """Return whether files can be converted here."""
    return bool(shutil.which("ffmpeg") and shutil.which("ffprobe"))


def look_into(file: Path) -> Film:
    """Return what is in a file.

    :raises Invalid: neither film nor sound, or too long.
    """
    how = [
        "-v",
        "error",
        "-of",
        "json",
        "-show_entries",
        "format=duration:stream=codec_type,codec_name:stream_disposition",
    ]
    command = ["ffprobe", *_READ_ONLY, *how, f"file:{file.absolute()}"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_environment(),
            timeout=PROBE_TIMEOUT,
            check=True,
        )
        found = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        said = getattr(error, "stderr", b"") or b""
        log.warning("ffprobe cannot read %s: %s", file.name, said[-500:].decode(errors="replace").strip() or error)
        raise Invalid("It is damaged, or of a kind that ffmpeg does not know.") from None
    film = Film(_codec(found, "video"), _codec(found, "audio"), _seconds(found.get("format", {}).get("duration")))
    if not film.video and not film.sound:
        raise Invalid("There is neither film nor sound in it.")
    if film.length > LENGTH_MAX:
        raise Invalid(f"It is longer than {LENGTH_MAX / 3600:g} hours.")
    return film


def _codec(found: Any, kind: str) -> str:
    """Return the codec of the first stream of a kind; a cover picture doesn't count as a film."""
    for stream in found.get("streams", ()):
        if stream.get("codec_type") == kind and not stream.get("disposition", {}).get("attached_pic"):
            return str(stream.get("codec_name", ""))
    return ""


def _seconds(text: object) -> float:
    with suppress(TypeError, ValueError):
        return max(0.0, float(str(text)))
    return 0.0


def convert(source: Path, film: Film, target: Path, limit: int, on_progress: Callable[[float], None]) -> None:
    """Make a file that browsers play: WebM of a film, MP3 of sound. What is in a free codec already is only copied.

    :param target: is overwritten; what is there after an error is of no use.
    :param limit: bytes that it may have.
    :param on_progress: called a few times a second with the fraction that is done; what it raises ends ffmpeg.
    :raises Invalid: it cannot be converted, or has become too large.
    """
    output = ["-map_metadata", "-1", "-sn", "-dn", "-t", f"{LENGTH_MAX:g}", "-fs", str(limit), *_codecs(film)]
    fixed = ["-nostdin", "-hide_banner", "-v", "error", "-y", "-progress", "pipe:1", "-nostats"]
    command = ["ffmpeg", *fixed, *_READ_ONLY, "-i", f"file:{source.absolute()}", *output, f"file:{target.absolute()}"]
    nice = ["nice", "-n", "15"] if shutil.which("nice") else []
    with TemporaryFile() as errors, _running([*nice, *command], errors) as process:
        _follow(process, film.length, on_progress)
        if process.wait():
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - 500))
            log.warning("ffmpeg failed at %s: %s", source.name, errors.read().decode(errors="replace").strip())
            raise Invalid("It is damaged, or of a kind that ffmpeg does not know.")
    if target.stat().st_size >= limit * 0.99:
        raise Invalid("What it becomes is larger than files may be (WAMPFLASK_MEDIA_MAX).")


def _codecs(film: Film) -> list[str]:
    if not film.video:
        return ["-map", "0:a:0", "-c:a", "libmp3lame", "-q:a", "2", "-f", "mp3"]
    picture = ["-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "33", "-deadline", "realtime", "-cpu-used", "6"]
    picture += ["-row-mt", "1", "-pix_fmt", "yuv420p", "-vf", rf"scale=w=min({WIDTH_MAX}\,iw):h=-2"]
    if film.video in _FREE_VIDEO:
        picture = ["-c:v", "copy"]
    sound = ["-c:a", "copy"] if film.sound in _FREE_SOUND else ["-c:a", "libopus", "-b:a", "128k", "-ac", "2"]
    return ["-map", "0:V:0", "-map", "0:a:0?", *picture, *sound, "-f", "webm"]


@contextmanager
def _running(command: list[str], errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the time of the ``with`` block; leaving it ends the program."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=_environment(),
        start_new_session=True,
        preexec_fn=end_with_parent(),  # noqa: PLW1509 -- one C call, which takes no Python lock
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _follow(process: subprocess.Popen[bytes], length: float, on_progress: Callable[[float], None]) -> None:
    """Read how far ffmpeg is until it has nothing more to say."""
    assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
    fraction, heard, rest = 0.0, time.monotonic(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if selector.select(LOOK):
                piece = os.read(process.stdout.fileno(), 65536)
                if not piece:
                    return
                heard = time.monotonic()
                *lines, rest = (rest + piece).split(b"\n")
                fraction = _fraction(lines, length, fraction)
            elif time.monotonic() - heard > SILENCE_MAX:
                raise Invalid("ffmpeg did not get on with it.")
            on_progress(fraction)


def _fraction(lines: list[bytes], length: float, before: float) -> float:
    for line in lines:
        name, _, value = line.partition(b"=")
        if name == b"out_time_us" and length:
            with suppress(ValueError):  # N/A at the beginning
                before = min(1.0, max(before, int(value) / 1e6 / length))
    return before


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
