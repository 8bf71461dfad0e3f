"""A restic for tests that does nothing, slowly or in vain when a test says so: a program of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCRIPT = """#!/bin/sh
here=$(dirname "$0")
echo "$1" >> "$here/ran"
if [ -e "$here/hold-$1" ]; then
    echo $$ > "$here/pid"
    echo '{"message_type":"status","percent_done":0.25,"total_bytes":400,"bytes_done":100,"seconds_remaining":3}'
    while [ -e "$here/hold-$1" ]; do sleep 0.02; done
fi
if [ -e "$here/fail-$1" ]; then cat "$here/fail-$1"; exit 1; fi
case "$1" in
init) touch "$here/made" ;;
cat) [ -e "$here/made" ] || { cat "$here/absent"; exit 1; } ;;
snapshots) cat "$here/snapshots" ;;
backup) echo '{"message_type":"summary","snapshot_id":"0a1b2c3d4e5f"}' ;;
esac
exit 0
"""

SNAPSHOT: dict[str, Any] = {
    "time": "2030-01-02T11:00:00.123456789Z",
    "tree": "00",
    "paths": ["/var"],
    "hostname": "manor",
    "username": "root",
    "id": "0a1b2c3d4e5f" + "0" * 52,
    "short_id": "0a1b2c3d",
}


@dataclass(frozen=True)
class FakeRestic:
    """The program.

    Args:
        folder: Where it is, and what it is told.
    """

    folder: Path

    @property
    def path(self) -> str:
        """The program's."""
        return str(self.folder / "restic")

    def hold(self, command: str) -> None:
        """Have a command run until it is let go."""
        (self.folder / f"hold-{command}").touch()

    def let_go(self, command: str) -> None:
        """Let it end."""
        (self.folder / f"hold-{command}").unlink()

    def fail(self, command: str, said: str) -> None:
        """Have a command say this and fail."""
        (self.folder / f"fail-{command}").write_text(said)

    def mend(self, command: str) -> None:
        """Have it work again."""
        (self.folder / f"fail-{command}").unlink()

    def is_held(self) -> bool:
        """Whether a command waits to be let go."""
        return (self.folder / "pid").exists()

    def pid(self) -> int:
        """The process that waits."""
        return int((self.folder / "pid").read_text())

    def ran(self) -> list[str]:
        """Which commands ran, in order."""
        path = self.folder / "ran"
        return path.read_text().split() if path.exists() else []


def fake_restic(folder: Path, snapshots: list[dict[str, Any]] | None = None) -> FakeRestic:
    """Put it there; its repository has the backups that are named, one without a word."""
    folder.mkdir()
    (folder / "absent").write_text(
        "Fatal: unable to open config file: stat /x/config: no such file or directory\n"
        "Is there a repository at the following location?\n/x\n"
    )
    (folder / "snapshots").write_text(json.dumps([SNAPSHOT] if snapshots is None else snapshots))
    script = folder / "restic"
    script.write_text(_SCRIPT)
    script.chmod(0o755)
    return FakeRestic(folder)
