"""Files to install an agent as a service: a systemd unit, a Docker Compose file."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from zipfile import is_zipfile

from .requirements import requirements
from .settings import Settings


def program() -> list[str]:
    """Return how this program is started: by this Python, or by itself where pip made it a command."""
    script = Path(sys.argv[0]).absolute()
    by_python = script.suffix == ".py" or is_zipfile(script)
    return [sys.executable, str(script)] if by_python else [str(script)]


def systemd_unit(settings: Settings) -> str:
    """Return a unit for systemd. The token is not in it, because every user of a machine may read units."""
    start = " ".join(_quoted(part) for part in program())
    return f"""\
# wampflask's monitoring agent. To install it:
#   {" ".join(program())} --systemd | sudo tee /etc/systemd/system/wampflask-agent.service
#   echo WAMPFLASK_AGENT_TOKEN=<from “Add a host”> | sudo install -m 600 /dev/stdin /etc/wampflask-agent.env
#   sudo systemctl enable --now wampflask-agent
# The token is only needed the first time: remove the file when the host is on the dashboard.
[Unit]
Description=wampflask monitoring agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={start}
Environment={_quoted(f"WAMPFLASK_AGENT_SERVER={settings.server or 'http://hub:8080'}")}
Environment=WAMPFLASK_AGENT_STATE=%S/wampflask-agent
EnvironmentFile=-/etc/wampflask-agent.env
DynamicUser=yes
StateDirectory=wampflask-agent
StateDirectoryMode=0700
Restart=always
RestartSec=5
MemoryMax=128M
Nice=5
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
CapabilityBoundingSet=
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def _quoted(text: str) -> str:
    """Return a word as a unit file quotes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if re.search(r"[\s\"'\\]", escaped) else escaped


def compose_file(settings: Settings) -> str:
    """Return a compose file with its image's recipe, for a folder with ``agent.py`` as the hub serves it."""
    server = json.dumps(settings.server or "http://hub:8080")
    name = json.dumps(settings.name)
    return f"""\
# wampflask's monitoring agent in a container. Save this as compose.yaml in a folder with agent.py:
#   curl -fsSO {settings.server or "http://hub:8080"}/agent.py
#   WAMPFLASK_AGENT_TOKEN=<from the hub's page “Add a host”> docker compose up -d
# The token is only needed the first time. The container sees the host's processes, network and file systems, and can
# change nothing.
services:
  wampflask-agent:
    build:
      context: .
      dockerfile_inline: |
        FROM python:3.13-slim
        RUN pip install --no-cache-dir {requirements()}
        COPY agent.py /agent.py
        RUN mkdir -m 700 /state && chown 65534:65534 /state
        USER 65534:65534
        ENTRYPOINT ["python", "/agent.py"]
    environment:
      WAMPFLASK_AGENT_SERVER: {server}
      WAMPFLASK_AGENT_TOKEN: ${{WAMPFLASK_AGENT_TOKEN:-}}
      WAMPFLASK_AGENT_NAME: {name}
      WAMPFLASK_AGENT_STATE: /state
      WAMPFLASK_AGENT_ROOT: /host
    volumes:
      - /:/host:ro,rslave
      - state:/state
    network_mode: host
    pid: host
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: 128m
    restart: always
volumes:
  state:
"""
