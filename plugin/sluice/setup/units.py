"""What keeps Sluice running: a unit for systemd, and a compose file for maubot beside Conduit."""

from __future__ import annotations

from pathlib import Path

from .files import owner_of
from .package import Package

_UNIT = """\
# /etc/systemd/system/sluice.service, then:  systemctl enable --now sluice
[Unit]
Description=Sluice, a Matrix operations bot
Wants=network-online.target
After=network-online.target

[Service]
User={user}
ExecStart={command}
Restart=always
RestartSec=5
UMask=0077
NoNewPrivileges=true
PrivateTmp=true
ProtectSystem=strict
ReadWritePaths={folder}

[Install]
WantedBy=multi-user.target
"""

COMPOSE = """\
# maubot beside a Conduit in Docker, here with the network and names of balnaimi/conduit-deploy.
# Save it as /opt/sluice/docker-compose.yml, not in /opt/conduit: that is deleted by a restore.
#   docker compose up         writes data/config.yaml and ends: put an admin with a password in it
#   docker compose up -d
#   docker compose cp sluice-VERSION.mbp maubot:/data/
#   docker compose exec maubot python3 /data/sluice-VERSION.mbp setup --folder /data/sluice \\
#     --homeserver http://conduit:6167 --maubot http://127.0.0.1:29316
services:
  maubot:
    image: dock.mau.dev/maubot/maubot:v0.6.0
    restart: unless-stopped
    volumes: ["./data:/data"]
    # Its web page, from this machine only:  ssh -L 29316:127.0.0.1:29316 you@server
    ports: ["127.0.0.1:29316:29316"]
    networks: [conduit]
networks:
  conduit: {external: true, name: conduit_matrix}
"""


def systemd(folder: Path, package: Package) -> str:
    """For whom the folder belongs to."""
    at = folder.absolute()
    user = owner_of(at if at.exists() else at.parent)
    command = " ".join(map(_quoted, package.command("run", "--folder", str(at))))
    return _UNIT.format(user=user, command=command, folder=_quoted(str(at)))


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if " " in word or escaped != word else word
