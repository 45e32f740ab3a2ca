"""The steps behind `make run` and `make test`: environments, browser libraries, programs for tests.

Standard library only. Each step has a stamp, so that the second time costs nothing and needs no
network; steps that do not need each other run side by side, with their progress on one line.
Whatever goes wrong ends as one line on stderr with its remedy, and exit code 1.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / ".venv"
ROUTER = ROOT / ".crossbar" / "venv"
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"
BUILT = ROOT / "static" / "built"
NEEDED_BYTES = 1_500_000_000
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OFFLINE = re.compile(
    r"NewConnectionError|Max retries|Could not fetch URL|No matching distribution|Could not find a version"
    r"|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ConnectTimeout|network"
)
# Two serializers that we never use come as source; in plain Python they need no compiler.
NO_COMPILER = {"PYBJDATA_NO_EXTENSION": "1", "PYUBJSON_NO_EXTENSION": "1"}
# autobahn does without it; one that pip compiled earlier and kept complains of NumPy at each start of the router.
UNWANTED = "bjdata"
PLACES = {  # errno -> what to do about a folder that cannot be written
    errno.EACCES: "use a folder that you own",
    errno.EPERM: "use a folder that you own",
    errno.EROFS: "the file system is read-only; use another folder",
    errno.ENOSPC: "the disk is full; free 1.5 GB",
    errno.EDQUOT: "your quota is used up; free 1.5 GB",
}

RUNNING: list[subprocess.Popen[bytes]] = []  # stopped when another step fails


class SetupError(Exception):
    """Something that a person must mend; the text is the one line shown to them."""


class Step(NamedTuple):
    """One thing to make: its name for people, and the work."""

    name: str
    work: Callable[[], None]


def digest(*paths: Path) -> str:
    """A stamp's text: what these files say, and where the checkout is (scripts hold its path)."""
    parts = [str(ROOT).encode(), *(path.read_bytes() for path in paths if path.exists())]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def stamped(stamp: Path, text: str) -> bool:
    return stamp.exists() and stamp.read_text(encoding="ascii") == text


def run(command: list[str], log: Path, purpose: str, env: dict[str, str] | None = None) -> None:
    """Run a command with its output in a log.

    :raises SetupError: it failed; one line says why, as far as the log shows it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        try:
            child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env)
        except OSError as error:
            raise SetupError(f"{purpose} failed: cannot run {command[0]}: {error.strerror}") from error
        RUNNING.append(child)
        code = child.wait()
        RUNNING.remove(child)
    if code:
        raise SetupError(f"{purpose} failed: {reason(log, code)} (whole story: {log})")


def reason(log: Path, code: int) -> str:
    """Why a command failed, in a few words."""
    text = log.read_text(encoding="utf-8", errors="replace")
    if "No space left on device" in text or "ENOSPC" in text:
        return "the disk is full; free 1.5 GB and try again"
    if OFFLINE.search(text):
        return "the package registry could not be reached; check the network or proxy and try again"
    lines = [line.strip() for line in text.splitlines() if "error" in line.lower()] or text.split("\n")
    return next((line for line in lines if line.strip()), f"exit code {code}")


# --- Python environments ---------------------------------------------------------------------------


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def check_python() -> None:
    """Refuse a Python that cannot make environments (Debian ships that part separately)."""
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"{sys.executable} cannot make environments: its venv module is missing. "
            f"On Debian and Ubuntu: apt-get install python{version}-venv"
        )


def check_disk() -> None:
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        raise SetupError(f"{ROOT} has {free // 1_000_000} MB free; the set-up takes up to 1500 MB. Free some space.")


def usable(venv: Path) -> bool:
    """Whether the environment's Python still runs, is new enough, has pip, and stands where it was made."""
    if not (venv / "pyvenv.cfg").exists():  # without it, its Python is the system's, and pip would install there
        return False
    code = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        runs = subprocess.run([str(python_of(venv)), "-c", code], check=False, capture_output=True).returncode == 0
    except OSError:
        return False
    places = {stamp.read_text(encoding="utf-8") for stamp in venv.glob(".place")}
    return runs and places <= {str(ROOT)}


def install(venv: Path, requirements: Path, stamp: Path, purpose: str) -> None:
    """Make the environment when there is none that works, and install the pinned packages."""
    stamp.unlink(missing_ok=True)
    if not usable(venv):
        if venv.is_symlink():
            raise SetupError(f"{venv} is a link to another checkout's environment; remove it and try again.")
        check_python()
        log = venv.parent / ".venv.log"
        run([sys.executable, "-m", "venv", "--clear", str(venv)], log, f"making {venv}")
        log.unlink()
        (venv / ".place").write_text(str(ROOT), encoding="utf-8")
    pip = [str(python_of(venv)), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    options = ["--quiet", "--prefer-binary", "--no-warn-script-location", "--progress-bar", "off"]
    command = [*pip, *options, "-r", str(requirements)]
    run(command, venv / "setup.log", f"installing {purpose}", {**os.environ, **NO_COMPILER})
    remove = [*pip[:-1], "uninstall", "--quiet", "--yes", UNWANTED]
    run(remove, venv / "setup.log", f"taking {UNWANTED} out of {purpose}")


def python_step(venv: Path, name: str, purpose: str, *files: str) -> Step | None:
    """The step that installs a requirement file; None when its stamp is right.

    :param venv: the environment's folder.
    :param name: the stamp's name.
    :param purpose: what people call it.
    :param files: the requirement file, and those that it includes.
    """
    text = digest(*(ROOT / file for file in files))
    stamp = venv / f".{name}.stamp"
    if stamped(stamp, text):
        return None

    def work() -> None:
        install(venv, ROOT / files[0], stamp, purpose)
        stamp.write_text(text, encoding="ascii")

    return Step(purpose, work)


# --- browser libraries -----------------------------------------------------------------------------


def npm_environment() -> dict[str, str]:
    """The environment that npm runs in: one that the site's environment brought is found, too."""
    return {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), str(SITE / "bin")])}


def ensure_npm() -> str:
    """The npm of this machine, or the one that a Python package carries."""
    path = npm_environment()["PATH"]
    if not shutil.which("npm", path=path):
        wheel = ROOT / "requirements" / "node.txt"
        run(
            [
                str(python_of(SITE)),
                "-m",
                "pip",
                "--disable-pip-version-check",
                "install",
                "--quiet",
                "-r",
                str(wheel),
            ],
            SITE / "node.log",
            "installing Node.js (there is no npm on this machine)",
        )
    found = shutil.which("npm", path=path)
    if not found:
        raise SetupError(
            "there is no npm on this machine, and installing one did not help. Install Node.js 20.19 or newer."
        )
    return found


def npm_step(mode: str) -> Step | None:
    """The step that fetches what pages load, and for `test` also what builds, formats and lints it."""
    text = digest(ROOT / "package.json")
    stamp, full = (MODULES / f".{name}.stamp" for name in ("vendor", "dev"))
    if VENDOR.is_dir() and (stamped(full, text) or (mode == "run" and stamped(stamp, text))):
        return None

    def work() -> None:
        npm = ensure_npm()
        env = npm_environment()
        MODULES.mkdir(exist_ok=True)
        stamp.unlink(missing_ok=True)
        full.unlink(missing_ok=True)
        log = ROOT / ".npm.log"
        # package.json pins exactly what pages load; the rest of the tree serves Node only, unshipped.
        # Optional packages are esbuild's programs, one for each platform.
        quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1"]
        lean = ["--no-package-lock", "--ignore-scripts", *(["--omit=dev"] if mode == "run" else [])]
        run([npm, "install", *quiet, *lean], log, "fetching the browser libraries", env)
        run([npm, "run", "--silent", "vendor"], log, "copying the browser libraries", env)
        log.unlink()
        (full if mode == "test" else stamp).write_text(text, encoding="ascii")

    return Step("browser libraries", work)


def assets_step() -> Step | None:
    """The step that bundles what pages load, for which the site's packages and the browser libraries must be there."""
    folders = (ROOT / "static", ROOT / "wampflask" / "browser")
    sources = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    made_from = [file for file in sources if BUILT not in file.parents]
    text = digest(ROOT / ".ci" / "assets.js", ROOT / "package.json", ROOT / "requirements" / "site.txt", *made_from)
    stamp = MODULES / ".assets.stamp"
    if (BUILT / "manifest.json").exists() and stamped(stamp, text):
        return None

    def work() -> None:
        log = ROOT / ".npm.log"
        run([ensure_npm(), "run", "--silent", "assets"], log, "bundling what pages load", npm_environment())
        log.unlink()
        stamp.write_text(text, encoding="ascii")

    return Step("bundles of what pages load", work)


# --- programs for the tests ------------------------------------------------------------------------

PACKAGES = {  # program -> Debian's package, of what the tests run besides a browser
    "nginx": "nginx-light",
    "caddy": "caddy",
    "ffmpeg": "ffmpeg",
    "redis-server": "redis-server",
    "pg_dump": "postgresql",
    "initdb": "postgresql",
    "systemd-analyze": "systemd",
}
PLACES_OF_PROGRAMS = ("/usr/sbin", "/sbin", "/usr/local/sbin")
POSTGRES = "/usr/lib/postgresql"  # Debian keeps each version's programs apart


def has_browser() -> bool:
    """Whether tests can find a browser: the machine's Chromium, or the one Playwright fetched."""
    if os.environ.get("CHROMIUM") or any(shutil.which(name) for name in BROWSERS):
        return True
    return (SITE / ".browser.stamp").exists()


def missing_packages() -> list[str]:
    """The Debian packages of programs that tests run and this machine lacks."""
    folders = [os.environ.get("PATH", os.defpath), *PLACES_OF_PROGRAMS, *map(str, Path(POSTGRES).glob("*/bin"))]
    path = os.pathsep.join(folders)
    return sorted({package for program, package in PACKAGES.items() if not shutil.which(program, path=path)})


def fetch_browser(log: Path) -> bool:
    """Let Playwright fetch its Chromium without windows; whether it could."""
    try:
        run([str(SITE / "bin" / "playwright"), "install", "--only-shell", "chromium"], log, "fetching Chromium")
    except SetupError:
        return False
    (SITE / ".browser.stamp").touch()
    return True


def ensure_programs() -> None:
    """Install what tests run and this machine lacks, from Debian and in one go; a browser from Playwright if it can."""
    log = SITE / "programs.log"
    packages = missing_packages()
    needs_browser = not has_browser() and not fetch_browser(log)
    if needs_browser:
        packages.append("chromium-headless-shell")
    if not packages:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        hint = " For the browser, CHROMIUM=/path/to/it does, too." if needs_browser else ""
        raise SetupError(
            f"the tests need programs that this machine lacks. Install Debian's packages {' '.join(packages)}, or "
            f"what your system calls them, and try again.{hint}"
        )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], log, "reading Debian's package list", env)
    options = ["-q", "-y", "--no-install-recommends"]
    run(["apt-get", "install", *options, *packages], log, f"installing {' '.join(packages)}", env)


def programs_step() -> Step | None:
    return None if has_browser() and not missing_packages() else Step("programs for the tests", ensure_programs)


# --- all of them -----------------------------------------------------------------------------------


def chains(mode: str) -> list[list[Step]]:
    """What is missing, as chains that may run side by side; within a chain one step follows another."""
    kind = "dev" if mode == "test" else "site"
    site = python_step(SITE, "dev", "the site's Python packages", "requirements/dev.txt", "requirements/site.txt")
    if site and kind == "site":
        site = python_step(SITE, "site", "the site's Python packages", "requirements/site.txt")
    router = python_step(ROUTER, "router", "Crossbar.io", "wampflask/router/requirements.txt")
    npm = npm_step(mode)
    programs = programs_step() if mode == "test" else None
    needs_site = npm if npm and not shutil.which("npm") else None
    first = [site, needs_site, programs]
    plan: list[list[Step | None]] = [first, [router], [npm] if not needs_site else []]
    return [kept for chain in plan if (kept := [step for step in chain if step])]


class Progress:
    """Says what has begun and what is done; on a terminal also how long the running steps have taken."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}
        self._lock = threading.Lock()
        self._live = sys.stdout.isatty()

    def begin(self, name: str) -> None:
        with self._lock:
            self._begun[name] = time.monotonic()
            if not self._live:
                print(f"  {name} ...", flush=True)

    def end(self, name: str) -> None:
        with self._lock:
            seconds = time.monotonic() - self._begun.pop(name)
            print(f"{self._clear()}  {name}: done in {seconds:.0f} s", flush=True)

    def tick(self) -> None:
        if not self._live:
            return
        with self._lock:
            now = time.monotonic()
            running = " · ".join(f"{name} {now - begun:.0f} s" for name, begun in self._begun.items())
            print(f"{self._clear()}  {running}", end="", flush=True)

    def close(self) -> None:
        print(self._clear(), end="", flush=True)

    def _clear(self) -> str:
        return "\r\033[K" if self._live else ""


def follow(chain: Iterable[Step], progress: Progress, stop: threading.Event) -> None:
    for step in chain:
        if stop.is_set():
            return
        progress.begin(step.name)
        step.work()
        progress.end(step.name)


def carry_out(plan: list[list[Step]]) -> None:
    """Run every chain in a thread of its own.

    :raises SetupError: the first that a step raised, or an OSError; what has not begun by then is left out.
    """
    progress, stop = Progress(), threading.Event()
    with ThreadPoolExecutor(len(plan)) as pool:
        running: set[Future[None]] = {pool.submit(follow, chain, progress, stop) for chain in plan}
        try:
            while running:
                done, running = wait(running, timeout=1, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                progress.tick()
        finally:
            stop.set()
            for child in RUNNING.copy():
                child.terminate()
            progress.close()


def explain(error: OSError) -> str:
    place = error.filename or ROOT
    remedy = PLACES.get(error.errno or 0)
    return f"cannot write {place}: {error.strerror}" + (f"; {remedy}" if remedy else "")


def prepare(mode: str) -> None:
    """Make what `mode` needs, one set-up at a time a checkout."""
    with Path(__file__).open("rb") as lock:
        with suppress(OSError):  # a file system without locks: two set-ups at once are then the user's care
            fcntl.flock(lock, fcntl.LOCK_EX)
        plan = chains(mode)
        if plan:
            print("Setting up. The first time this takes a minute or two, afterwards nothing.", flush=True)
            check_disk()
            carry_out(plan)
        if assets := assets_step():  # of what the plan has fetched
            carry_out([[assets]])


def main(arguments: list[str]) -> int:
    """Run the set-up for `run` or `test`; return the exit code."""
    if arguments not in (["run"], ["test"]):
        print("usage: bootstrap.py run|test", file=sys.stderr)
        return 2
    try:
        prepare(arguments[0])
    except SetupError as error:
        print(f"wampflask: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"wampflask: {explain(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nwampflask: set-up stopped; the next run goes on from here", file=sys.stderr)
        return 130
    return 0
