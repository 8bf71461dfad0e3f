"""From root to the user that the daemon is meant to be."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from manor.errors import AdminFault, Problem


def become(user: str, data_dir: Path) -> None:
    """As root: make `data_dir` for `user` and become that user, for good. Anyone else, or without a user, stays.

    Args:
        user: What `[server] user` says; empty to stay.
        data_dir: The data directory, made 0700 when missing. One that is there already keeps its owner.

    Raises:
        AdminFault: There is no such user, or the directory cannot be made.
    """
    if not user or os.geteuid() != 0:
        return
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise AdminFault([Problem("server.user", f"there is no user {user!r} on this machine")]) from None
    if not data_dir.exists():
        try:
            data_dir.mkdir(mode=0o700, parents=True)
            os.chown(data_dir, account.pw_uid, account.pw_gid)
        except OSError as error:
            raise AdminFault([Problem("server.data_dir", f"{data_dir}: {error.strerror}")]) from error
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
