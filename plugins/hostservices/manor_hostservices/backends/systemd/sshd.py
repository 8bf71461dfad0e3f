"""The SSH server: whether it runs, and whether it takes passwords."""

from __future__ import annotations

import os

import msgspec

from manor_hostservices.backends.running import run_to_its_end
from manor_hostservices.backends.state import changed_ssh, check_passwords_off
from manor_hostservices.backends.systemd.files import ONLY_ROOT, replaced
from manor_hostservices.backends.systemd.people import MATTER, ROOT, People
from manor_hostservices.backends.systemd.record import Record
from manor_hostservices.backends.systemd.units import RUNNING, Figures, Unit, Units
from manor_hostservices.places import Places
from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Failed, NotHere
from manor_hostservices.verbs import SetSsh, SshSettings

DROP_IN = "/etc/ssh/sshd_config.d/50-manor.conf"

_UNITS = ("ssh.service", "sshd.service", "ssh.socket", "sshd.socket")
"""What it is called on Debian and elsewhere; either may be an alias of the other."""

_ROOT_BY_KEY = frozenset({"yes", "prohibit-password", "without-password"})


class SshServer:
    """OpenSSH's server.

    Args:
        programs: Runs sshd(8), to check its configuration.
        units: The host's.
        record: What was set from here.
        people: Who has keys.
        places: Where the host's files are.
        primary_user: The account that stands for the administrator.
    """

    def __init__(
        self, programs: Programs, units: Units, record: Record, people: People, places: Places, primary_user: str
    ) -> None:
        self._programs = programs
        self._units = units
        self._record = record
        self._people = people
        self._places = places
        self._primary = primary_user

    async def settings(self) -> SshSettings:
        """Whether it runs and takes passwords, as the server itself reads its configuration."""
        return self._settings(await self._there(), await self._effective())

    async def set(self, verb: SetSsh) -> SshSettings:
        """Change the settings; see `Backend.set_ssh`."""
        async with self._record.turn(MATTER):
            return await self._set(verb)

    async def put_right(self, *, dry_run: bool) -> bool:
        """Set again what was set from here; gives whether the server did otherwise."""
        async with self._record.turn(MATTER):
            wanted = (await self._record.read()).ssh
            if wanted is None or wanted == (found := await self.settings()):
                return False
            if not dry_run:
                passwords = wanted.password_authentication
                # What is as it was set is not written anew.
                await self._set(
                    SetSsh(wanted.enable, None if passwords == found.password_authentication else passwords)
                )
            return True

    async def _set(self, verb: SetSsh) -> SshSettings:
        effective, units = await self._effective(), await self._there()
        before = self._settings(units, effective)
        check_passwords_off(before, verb, has_key=await self._has_way_in(effective))
        known = (await self._record.read()).ssh
        if known is None:
            # A server that is down for a moment is not one that was switched off.
            known = SshSettings(
                before.enable or any(figures.enabled for _, figures in units.values()), before.password_authentication
            )
        if verb.password_authentication is not None:
            await self._take_passwords(verb.password_authentication)
            # Noted at once: this holds whether or not the server starts.
            await self._note(changed_ssh(known, msgspec.structs.replace(verb, enable=None)))
        if verb.enable is not None:
            await self._switch(on=verb.enable)
        await self._note(changed_ssh(known, verb))
        return await self.settings()

    async def _note(self, settings: SshSettings) -> None:
        await self._record.change(lambda state: msgspec.structs.replace(state, ssh=settings))

    def _settings(self, units: dict[str, tuple[Unit, Figures]], effective: dict[str, str]) -> SshSettings:
        is_running = any(unit.status == RUNNING for unit, _ in units.values())
        return SshSettings(is_running, effective.get("passwordauthentication") == "yes")

    async def _there(self) -> dict[str, tuple[Unit, Figures]]:
        """The server's units that are installed, by their own names."""
        return {unit.name: (unit, figures) for unit, figures in await self._units.measure(_UNITS) if unit.is_installed}

    async def _has_way_in(self, effective: dict[str, str]) -> bool:
        """Whether an administrator could come in by a key, as the server is configured."""
        if effective.get("pubkeyauthentication") == "no":
            return False
        if ".ssh/authorized_keys" not in effective.get("authorizedkeysfile", ".ssh/authorized_keys").split():
            return False
        if effective.get("permitrootlogin") in _ROOT_BY_KEY and await self._people.has_key(ROOT):
            return True
        return await self._people.has_key(self._primary)

    # --- Whether it runs -------------------------------------------------------------------------------------------

    async def _switch(self, *, on: bool) -> None:
        there = await self._there()
        if not there:
            raise NotHere("There is no SSH server here")
        enabled = [name for name, (_, figures) in there.items() if figures.enabled]
        running = [name for name, (unit, _) in there.items() if unit.status == RUNNING]
        if not on:
            # A socket first: a connection in between would start the service again.
            names = sorted(there, key=lambda name: not name.endswith(".socket"))
            await self._units.disable(names)
            await self._units.stop(names)
            # On Debian a socket and a service exclude each other, elsewhere they go together: what was on comes back.
            if was := enabled or running:
                await self._record.change(lambda state: msgspec.structs.replace(state, ssh_units=tuple(was)))
            return
        if set(enabled) & set(running):
            return
        were = [name for name in (await self._record.read()).ssh_units if name in there]
        services = [name for name in there if name.endswith(".service")]
        wanted = enabled or running or were or services[:1] or list(there)[:1]
        await self._units.enable(wanted)
        await self._units.start(wanted)

    # --- Passwords -------------------------------------------------------------------------------------------------

    async def _take_passwords(self, allowed: bool) -> None:
        with replaced(self._places.at(DROP_IN), drop_in(passwords=allowed)):
            await self._check(passwords=allowed)
            await self._reload()

    async def _check(self, *, passwords: bool) -> None:
        await self._run_sshd("-t")
        effective = await self._effective()
        if effective.get("passwordauthentication") != ("yes" if passwords else "no"):
            # The first file that says something counts, and the main one may not read ours.
            raise Failed(
                "Another file of the SSH server's configuration decides about passwords, or its main file does not "
                "include /etc/ssh/sshd_config.d/*.conf"
            )

    async def _reload(self) -> None:
        for name, (unit, _) in (await self._there()).items():
            if name.endswith(".service") and unit.active == "active":
                await self._units.reload(name)

    async def _effective(self) -> dict[str, str]:
        """The configuration as the server reads it, without what is for some connections only."""
        found: dict[str, str] = {}
        for line in (await self._run_sshd("-T")).splitlines():
            key, _, value = line.partition(" ")
            found.setdefault(key.lower(), value)
        return found

    async def _run_sshd(self, option: str) -> str:
        if os.geteuid() == 0:
            # systemd removes it with the service's end, and without it sshd refuses to check anything.
            self._places.at("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)
        done = await run_to_its_end(self._programs, ["sshd", option])
        if done.status == 0:
            return done.output
        if os.geteuid() != 0:
            # It wants to see its private keys.
            raise NotHere(ONLY_ROOT)
        raise Failed(f"The SSH server refuses its configuration: {done.output.strip()[-500:]}")


def drop_in(*, passwords: bool) -> str:
    """The text of our file of the server's configuration."""
    lines = ["# Written by Manor, which writes it anew; see sshd_config(5)."]
    if passwords:
        lines.append("PasswordAuthentication yes")
    else:
        # Else PAM would ask for the password in its own way.
        lines += ["PasswordAuthentication no", "KbdInteractiveAuthentication no"]
    return "\n".join(lines) + "\n"
