"""The client is one file that needs no installed package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from wampflask import bridge_client

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import bridge_client
query = bridge_client.sign("shell", "secret", b"{}", 7)
assert bridge_client.verify("shell.secret", query, b"{}")
assert not bridge_client.verify("shell.secret", query, b"[]")
assert not bridge_client.verify("shell.another", query, b"{}")
assert not bridge_client.verify("other.secret", query, b"{}")
assert not bridge_client.verify("shell.secret", {**query, "timestamp": "now"}, b"{}")
assert not bridge_client.verify("shell.secret", query, b"{}", window=-1)
assert not bridge_client.verify("shell.secret", "", b"{}")
print(query["seq"], "flask" in sys.modules, "twisted" in sys.modules)
"""


def test_it_runs_alone(tmp_path: Path) -> None:
    (tmp_path / "bridge_client.py").write_text(Path(bridge_client.__file__).read_text(encoding="utf-8"))
    command = [sys.executable, "-I", "-S", "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "7 False False"), done.stderr
