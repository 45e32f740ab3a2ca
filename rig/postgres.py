"""A PostgreSQL server of its own for one command: ``python -m rig.postgres pytest …`` with ``TEST_DATABASE_URL`` set.

Its cluster lies in a temporary folder, listens on a unix socket there and nowhere else, and goes with the command. It
does not wait for the disk. PostgreSQL refuses to run as root, who starts it as the user ``postgres``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLACES = Path("/usr/lib/postgresql")  # Debian keeps each version's programs apart
OWNER = "postgres"
CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300", "listen_addresses=")


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs, of the newest version that is here."""
    folders = [str(found) for found in sorted(PLACES.glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)]))
    if found is None:
        sys.exit(f"{name} is not installed. On Debian and Ubuntu: apt-get install postgresql")
    return found


@contextmanager
def cluster() -> Iterator[str]:
    """Run a server; its address."""
    with tempfile.TemporaryDirectory(prefix="wampflask-postgres-") as name:
        folder, before = Path(name), ["env"]
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            before = ["setpriv", f"--reuid={OWNER}", f"--regid={owner.pw_gid}", "--clear-groups"]
        data, log = folder / "data", folder / "log"
        options = " ".join(f"-c {setting}" for setting in (*CARELESS, f"unix_socket_directories={folder}"))
        control = [*before, program("pg_ctl"), "--pgdata", str(data), "--silent", "--wait", "--log", str(log)]
        make = ["--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        _run([*before, program("initdb"), "--pgdata", str(data), *make], folder)
        _run([*control, "--options", options, "start"], folder)
        try:
            yield f"postgresql://{OWNER}@/postgres?host={folder}"
        finally:
            _run([*control, "--mode", "immediate", "stop"], folder)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}")


def main() -> int:
    """Run the command line's command beside a server, and return its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends, too
    with cluster() as url:
        env = {**os.environ, "TEST_DATABASE_URL": url}
        return subprocess.run([sys.executable, "-m", *sys.argv[1:]], env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
