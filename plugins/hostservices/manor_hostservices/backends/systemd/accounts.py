"""The host's accounts, made and removed by its own programs."""

from __future__ import annotations

import grp
import os
import pwd
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import trio

from manor_hostservices.backends.running import run_to_its_end, run_well
from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.backends.systemd.files import refusing
from manor_hostservices.backends.systemd.power import LOGIN
from manor_hostservices.backends.systemd.units import Units
from manor_hostservices.places import Places
from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Conflicting, Failed, HostRefusal, Invalid

FIRST_UID = 1000
"""Below are root and the system's own accounts."""

_SHELL = "/bin/bash"
_HASH = re.compile(r"\$(6|y)\$[A-Za-z0-9./$=]{8,500}")

_REMOVED_WITHIN = 5.0
"""Seconds in which most homes are gone; a bigger one goes on by itself."""

_USED = 8
"""userdel(8): the account is in use."""


@dataclass(frozen=True)
class HostAccount:
    """An account that the host has.

    Args:
        name: What it is called.
        uid: Its user id.
        gid: Its group's id.
        home: Its folder.
    """

    name: str
    uid: int
    gid: int
    home: str


class Accounts:
    """Finds, makes and removes accounts.

    Args:
        programs: Runs useradd(8) and its like.
        bus: The host's bus.
        places: Where the host's files are.
    """

    def __init__(self, programs: Programs, bus: Bus, places: Places) -> None:
        self._programs = programs
        self._bus = bus
        self._units = Units(bus)
        self._places = places

    async def find(self, name: str) -> HostAccount | None:
        """Find an account; None when the host has none of this name."""
        # Off the loop: names may be asked of a directory server.
        return await trio.to_thread.run_sync(_find, name)

    async def make(self, name: str, password_hash: str) -> HostAccount:
        """Make an account with a home of its own.

        Args:
            name: One that was checked.
            password_hash: As crypt(3) has it.

        Raises:
            Conflicting: Something of this name is there.
            Failed: The host's programs say no; nothing is left behind.
        """
        # What goes by lines must be one.
        if not _HASH.fullmatch(password_hash):
            raise Invalid("The password's hash is none")
        if await self.find(name) is not None:
            raise Conflicting("User already exists")
        if await trio.to_thread.run_sync(_has_group, name):
            raise Conflicting("There is a group of this name")
        if _is_anything(self._places.at(f"/home/{name}")):
            # Whose files these were is not for a new account to inherit.
            raise Conflicting("There is a home of this name from before")
        # Whatever login.defs says of user ids.
        options = ["--user-group", "--shell", _SHELL, "--key", f"UID_MIN={FIRST_UID}"]
        await run_well(self._programs, ["useradd", *options, "--create-home", "--home-dir", f"/home/{name}", name])
        try:
            # `useradd --password` would show the hash to every account of the host, which see all arguments.
            line = f"{name}:{password_hash}\n".encode()
            await run_well(self._programs, ["chpasswd", "--encrypted"], stdin=line)
            made = await self.find(name)
            if made is None or made.uid < FIRST_UID:
                raise Failed("The host made no ordinary account")
        except HostRefusal:
            await self.unmake(name)
            raise
        return made

    async def unmake(self, name: str) -> None:
        """Remove an account that was made just now: nobody has used it."""
        await run_to_its_end(self._programs, ["userdel", "--remove", name])

    async def remove(self, account: HostAccount) -> Path | None:
        """Remove an account, and end what it runs.

        Returns:
            What was its home, out of the way, to be removed by `remove_files`; None when it had none of its own.

        Raises:
            Conflicting: It is one of the system's.
            Failed: The host's programs say no.
        """
        check_ordinary(account)
        # Nobody signs in between here and the end.
        await run_well(self._programs, ["usermod", "--lock", "--expiredate", "1", account.name])
        await self._end_all(account)
        doomed = self._set_aside(account)
        for _ in range(3):
            done = await run_to_its_end(self._programs, ["userdel", account.name])
            if done.status != _USED:
                break
            await self._end_all(account)
        if done.status != 0:
            if doomed is not None:
                with suppress(OSError):
                    doomed.rename(self._places.at(account.home))
            raise Failed(f"The account is locked and not removed: {done.output.strip()}")
        self._remove_left(account.name)
        return doomed

    async def remove_files(self, home: Path) -> None:
        """Remove what was a home; a big one goes on being removed afterwards.

        Raises:
            Failed: Something is left of it.
        """
        # By systemd: it may take minutes, which neither our end nor the caller's ends.
        with refusing("The account is gone, and its files cannot be removed"):
            os.chown(home, 0, 0, follow_symlinks=False)
            await trio.Path(home).chmod(0o700)
        argv = ["/bin/rm", "-rf", "--one-file-system", "--", str(home)]
        with trio.move_on_after(_REMOVED_WITHIN):
            await self._units.run(
                f"manor-home-{secrets.token_hex(8)}.service",
                argv,
                description="Removing the files of an account that is gone",
            )

    async def _end_all(self, account: HostAccount) -> None:
        # Nobody may be signed in, and there may be no logind: then only processes are left.
        with suppress(HostRefusal):
            async with self._bus.line() as line:
                await line.call(LOGIN, "TerminateUser", "u", (account.uid,))
        with suppress(HostRefusal):
            await self._units.stop([f"user-{account.uid}.slice"])
        await trio.to_thread.run_sync(_kill_all, account.uid)

    def _set_aside(self, account: HostAccount) -> Path | None:
        """Take the home from the account, so that removing it may take its time; None: it has none of its own."""
        home = self._places.at(account.home)
        doomed = home.with_name(f".manor-removed-{secrets.token_hex(8)}")
        with refusing("The account is locked, and its home cannot be removed"):
            try:
                found = os.lstat(home)
            except FileNotFoundError:
                return None
            if found.st_uid != account.uid or not stat.S_ISDIR(found.st_mode):
                return None
            home.rename(doomed)
        return doomed

    def _remove_left(self, name: str) -> None:
        """Remove what is kept by the name alone: the next account of this name must not find it."""
        for folder in ("/var/mail", "/var/spool/cron/crontabs", "/var/lib/systemd/linger"):
            # There may be none, or a folder in its place: the mail server's business.
            with suppress(OSError):
                self._places.at(f"{folder}/{name}").unlink()


def check_ordinary(account: HostAccount) -> None:
    """Check that an account may be managed from here at all, whatever the notes say.

    Raises:
        Conflicting: It is one of the system's.
    """
    if account.uid < FIRST_UID:
        raise Conflicting("This account belongs to the system")


def _find(name: str) -> HostAccount | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return HostAccount(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)


def _is_anything(path: Path) -> bool:
    return os.path.lexists(path)


def _has_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _kill_all(uid: int) -> None:
    """End every process that is an account's, by whichever of its ids."""
    for process in psutil.process_iter():
        try:
            if uid in process.uids():
                process.kill()
        except psutil.Error:
            continue  # it ended by itself
