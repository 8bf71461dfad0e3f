"""`authorized_keys` files, in folders that belong to people who may put anything there meanwhile.

Root writes here where somebody else may write too. So nothing is opened by its path below the home: every step goes by
the descriptor of the folder before, follows no link, and looks at what it opened before it uses it.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manor_hostservices.backends.systemd.files import refusing
from manor_hostservices.refusals import Conflicting

LONGEST = 1 << 20
"""Bytes of a file; a key has some hundred."""

_FOLDER, _FILE = ".ssh", "authorized_keys"
_ASK_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Owner:
    """Whose keys.

    Args:
        home: The account's folder.
        uid: Its user id.
        gid: Its group's id.
    """

    home: Path
    uid: int
    gid: int


def read_lines(owner: Owner) -> list[str]:
    """Read a file's lines; none when there is no file.

    Raises:
        Conflicting: What is there is a link, or not the account's own.
        NotHere: It is not ours to read.
    """
    with refusing("The keys cannot be read"), _ssh_folder(owner, make=False) as folder:
        return [] if folder is None else _read(folder, owner)


def change_lines(owner: Owner, work: Callable[[list[str]], list[str]]) -> None:
    """Change a file whole or not at all; one that would stay the same is left alone.

    Args:
        owner: Whose.
        work: Gets the lines and gives those that are to be there; what it raises changes nothing.

    Raises:
        Conflicting: What is there is a link, or not the account's own.
        Failed: It cannot be written.
    """
    with refusing("The keys cannot be kept"), _ssh_folder(owner, make=True) as folder:
        assert folder is not None
        before = _read(folder, owner)
        after = work(before)
        if after == before:
            return
        data = "".join(f"{line}\n" for line in after).encode(errors="surrogateescape")
        if len(data) > LONGEST:
            # It could not be read again, so nobody could remove a key from here.
            raise Conflicting("The account's authorized_keys would be too long: remove a key first")
        _replace(folder, owner, data)


@contextmanager
def _ssh_folder(owner: Owner, *, make: bool) -> Iterator[int | None]:
    """The folder's descriptor; None when it is not there and is not to be made."""
    try:
        # The home itself may be behind a link: its parents are root's, and whose it is says more.
        home = os.open(owner.home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        if make:
            raise Conflicting("The account has no home to keep keys in") from error
        yield None
        return
    try:
        if os.fstat(home).st_uid != owner.uid:
            raise Conflicting("The account's home belongs to somebody else; its keys are left alone")
        made = make and _make_folder(home)
        try:
            folder = os.open(_FOLDER, _ASK_FOLDER, dir_fd=home)
        except FileNotFoundError:
            yield None
            return
        except PermissionError:
            raise
        except OSError as error:
            raise Conflicting("The account's .ssh is a link or no folder; it is left alone") from error
    finally:
        os.close(home)
    try:
        if made:
            _hand_over(folder, owner)
        if os.fstat(folder).st_uid != owner.uid:
            raise Conflicting("The account's .ssh belongs to somebody else; it is left alone")
        yield folder
    finally:
        os.close(folder)


def _make_folder(home: int) -> bool:
    try:
        os.mkdir(_FOLDER, 0o700, dir_fd=home)
    except FileExistsError:
        return False
    return True


def _hand_over(folder: int, owner: Owner) -> None:
    """Give the folder that was made to its owner, unless it was exchanged meanwhile for one with something in it."""
    if os.fstat(folder).st_uid == os.geteuid() and not os.listdir(folder):
        os.fchown(folder, owner.uid, owner.gid)


def _read(folder: int, owner: Owner) -> list[str]:
    try:
        # A pipe must not be waited for.
        file = os.open(_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return []
    except PermissionError:
        raise
    except OSError as error:
        raise Conflicting("The account's authorized_keys is a link; it is left alone") from error
    try:
        found = os.fstat(file)
        # A second name may be that of a file which only root may read: what it holds must not land in the account's.
        if not stat.S_ISREG(found.st_mode) or found.st_uid != owner.uid or found.st_nlink != 1:
            raise Conflicting("The account's authorized_keys is not its own file; it is left alone")
        if found.st_size > LONGEST:
            raise Conflicting("The account's authorized_keys is too long; it is left alone")
        text = _all_of(file).decode(errors="surrogateescape")
    finally:
        os.close(file)
    return text.removesuffix("\n").split("\n") if text else []


def _all_of(file: int) -> bytes:
    data = b""
    while chunk := os.read(file, LONGEST):
        data += chunk
        if len(data) > LONGEST:
            raise Conflicting("The account's authorized_keys grows while it is read; it is left alone")
    return data


def _replace(folder: int, owner: Owner, data: bytes) -> None:
    name = f".{_FILE}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(file, "wb") as opened:
            os.fchown(file, owner.uid, owner.gid)
            opened.write(data)
            opened.flush()
            os.fsync(file)
        os.rename(name, _FILE, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(name, dir_fd=folder)
        raise
    os.fsync(folder)
