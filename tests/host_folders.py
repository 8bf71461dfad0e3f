"""A sandbox's folder with what some operations look for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

DKIM_FILE = "/var/dkim/example.org.selector.txt"
DKIM_RECORD = b'selector._domainkey IN TXT ( "v=DKIM1; k=rsa; "\n\t  "p=MIGfMA0GCSqG" ) ; ----- DKIM key\n'
CONFIG_DIR = "/etc/manor-config"


def furnish(root: Path) -> dict[str, str]:
    """Put a DKIM record and a configuration that can be pulled into a folder; gives the keys that name them."""
    record = root / DKIM_FILE.lstrip("/")
    record.parent.mkdir(parents=True)
    record.write_bytes(DKIM_RECORD)
    origin = root / "origin"
    git("init", "--quiet", "--initial-branch=main", str(origin))
    commit(origin, "first")
    git("clone", "--quiet", str(origin), str(root / CONFIG_DIR.lstrip("/")))
    return {"dkim_file": DKIM_FILE, "config_dir": CONFIG_DIR}


def commit(repository: Path, name: str) -> None:
    """Add a file to a repository."""
    (repository / name).write_text(name)
    git("-C", str(repository), "add", name)
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    git("-C", str(repository), *who, "commit", "--quiet", "--message", name)


def git(*arguments: str) -> None:
    # Of its own environment alone: this machine's settings are nobody's business here.
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
    subprocess.run(["git", *arguments], check=True, capture_output=True, env=environment)
