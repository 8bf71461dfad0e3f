"""Where the host's files are: at the root of the file system, or under a sandbox's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HELPER_FOLDER = "/var/lib/manor-host"


@dataclass(frozen=True)
class Places:
    """Paths of the host.

    Args:
        root: What stands for `/`.
    """

    root: Path = Path("/")

    def at(self, path: str) -> Path:
        """Where a path of the host is.

        Args:
            path: From the root on, such as `/etc/ssh`; it comes from the admin or from the code, never from a request.
        """
        return self.root / path.lstrip("/")

    @property
    def own(self) -> Path:
        """The root helper's folder: what was set from here, jobs, and what is known of backups. Root's alone."""
        return self.at(HELPER_FOLDER)
