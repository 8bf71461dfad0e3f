"""Links and pipes that a restore finds there as they were backed up: restic up to 0.16 takes each for a failure.

It says `ignoring error for /var/run: Symlink: symlink /run /var/run: file exists`, and of pipes and devices
`ignoring error for /srv/pipe: file exists` (collected from restic 0.14). It has not compared any file then, either.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_LINK = re.compile(r"ignoring error for (?P<path>/.+): Symlink: symlink (?P<to>.+) /.*: file exists")
_OTHER = re.compile(r"ignoring error for (?P<path>/.+): file exists")

MOST = 1000
"""More do not fit into a program's arguments, and each is looked for at each file."""


class Already:
    """Gathers what restic says is there already.

    Args:
        target: Where files are put.

    Attributes:
        paths: What may be left alone, as paths in the backup.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.paths: list[str] = []

    def hear(self, line: str) -> None:
        """Take a line of restic's."""
        path = self._path_as_backed_up(line.strip())
        if path is not None and len(self.paths) < MOST:
            self.paths.append(path)

    def _path_as_backed_up(self, line: str) -> str | None:
        if link := _LINK.fullmatch(line):
            return link["path"] if self._is_link(link["path"], link["to"]) else None
        if other := _OTHER.fullmatch(line):
            return other["path"] if self._is_special(other["path"]) else None
        return None

    def _is_link(self, path: str, to: str) -> bool:
        try:
            return str(self._at(path).readlink()) == to
        except OSError:
            return False

    def _is_special(self, path: str) -> bool:
        try:
            mode = os.lstat(self._at(path)).st_mode
        except OSError:
            return False
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))

    def _at(self, path: str) -> Path:
        return self._target / path.lstrip("/")
