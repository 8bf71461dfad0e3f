"""Packages of Debian and its like: whether they upgrade by themselves, what an upgrade would bring, and upgrading."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from manor_hostservices.backends.running import run_well
from manor_hostservices.backends.state import changed_auto_upgrade
from manor_hostservices.backends.systemd.files import replaced
from manor_hostservices.backends.systemd.record import Record
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import Places
from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Failed, NotHere
from manor_hostservices.verbs import AutoUpgrade, SetAutoUpgrade, Update, Updates

SETTINGS = "/etc/apt/apt.conf.d/52manor-auto-upgrades"
"""Behind Debian's own `20auto-upgrades` and `50unattended-upgrades`: the last file that says something counts."""

_UNATTENDED = "/usr/bin/unattended-upgrade"
_MATTER = "packages"
_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none"}

_SETTING = re.compile(r'(\S+) "(.*)";')
_NEW = re.compile(r"Inst (?P<name>\S+)(?: \[(?P<old>[^\]]*)\])? \((?P<new>\S+) (?P<origins>.*?) ?\[[^\]]*\]\)")
_STATUS = re.compile(r"(dlstatus|pmstatus):.*?:([0-9.]+):(.*)")
_FETCHING = 0.3
"""How much of an upgrade fetching it is, as its progress is told."""


class Apt:
    """apt(8).

    Args:
        programs: Runs it.
        record: What was set from here.
        places: Where the host's files are.
    """

    def __init__(self, programs: Programs, record: Record, places: Places) -> None:
        self._programs = programs
        self._record = record
        self._places = places

    async def auto_upgrade(self) -> AutoUpgrade:
        """Whether packages upgrade by themselves, as apt reads all its files together."""
        return read_auto_upgrade(await run_well(self._programs, ["apt-config", "dump"]))

    async def set_auto_upgrade(self, verb: SetAutoUpgrade) -> AutoUpgrade:
        """Change that; see `Backend.set_auto_upgrade`."""
        async with self._record.turn(_MATTER):
            wanted = changed_auto_upgrade(await self.auto_upgrade(), verb)
            if verb.enable and not self._places.at(_UNATTENDED).exists():
                raise NotHere("This host has no unattended-upgrades: install that package first")
            await self._set(wanted)
            await self._record.change(lambda state: msgspec.structs.replace(state, auto_upgrade=wanted))
            return wanted

    async def put_right(self, *, dry_run: bool) -> bool:
        """Set again what was set from here; gives whether the host did otherwise."""
        async with self._record.turn(_MATTER):
            wanted = (await self._record.read()).auto_upgrade
            if wanted is None or wanted == await self.auto_upgrade():
                return False
            if not dry_run:
                await self._set(wanted)
            return True

    async def updates(self) -> Updates:
        """What an upgrade would bring, by the lists of packages as they are."""
        # Neither needs root: nothing is locked.
        argv = ["apt-get", "-s", "-o", "Debug::NoLocking=true", "-o", "APT::Get::Show-User-Simulation-Note=false"]
        said = await run_well(self._programs, [*argv, "upgrade"], env=_QUIET)
        return Updates(list(read_simulation(said)), self.wants_restart())

    def wants_restart(self) -> bool:
        """Whether something that was upgraded is not used before the host restarts."""
        return self._places.at("/run/reboot-required").exists()

    async def upgrade(self, report: Report) -> None:
        """Upgrade every package, keeping configuration files that somebody changed.

        Raises:
            Failed: apt says no; it can be tried again.
        """
        apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"]
        keeping = ["-o", "Dpkg::Options::=--force-confold", "-o", "APT::Status-Fd=1"]
        # Where an upgrade was cut off, apt refuses any other before this.
        await run_well(self._programs, ["dpkg", "--force-confold", "--configure", "-a"], env=_QUIET, seconds=None)
        report.message("Fetching the lists of packages")
        await run_well(self._programs, [*apt, "update"], env=_QUIET, seconds=None, hear=report.log)
        bringing = len((await self.updates()).packages)
        report.message(f"Packages to upgrade: {bringing}")
        await run_well(
            self._programs,
            [*apt, "-y", *keeping, "upgrade"],
            env=_QUIET,
            seconds=None,
            hear=lambda line: _tell(line, report),
        )
        restart = "; the host wants a restart" if self.wants_restart() else ""
        report.progress(1)
        report.message(f"Packages upgraded: {bringing}{restart}")

    async def preview(self, report: Report) -> None:
        """Say what an upgrade would bring."""
        found = await self.updates()
        for package in found.packages:
            security = ", for security" if package.security else ""
            report.log(f"{package.name} {package.old or 'new'} -> {package.new}{security}")
        report.message(f"Packages to upgrade: {len(found.packages)}")

    async def _set(self, wanted: AutoUpgrade) -> None:
        with replaced(self._places.at(SETTINGS), settings_text(wanted)):
            if await self.auto_upgrade() != wanted:
                raise Failed("Another file in /etc/apt/apt.conf.d decides about upgrades")


def settings_text(settings: AutoUpgrade) -> str:
    """The text of our file of apt's configuration."""
    enable, reboot = ("1" if settings.enable else "0"), ("true" if settings.allow_reboot else "false")
    lines = [
        "// Written by Manor, which writes it anew; see apt.conf(5).",
        f'APT::Periodic::Update-Package-Lists "{enable}";',
        f'APT::Periodic::Unattended-Upgrade "{enable}";',
        f'Unattended-Upgrade::Automatic-Reboot "{reboot}";',
    ]
    if settings.enable:
        # Whatever another file says: it would stand against the others.
        lines.append('APT::Periodic::Enable "1";')
    return "\n".join(lines) + "\n"


def read_auto_upgrade(dump: str) -> AutoUpgrade:
    """Read the settings out of what `apt-config dump` says; apt takes names in any case, days and yes or no."""
    found = {match[1].lower(): match[2].lower() for match in map(_SETTING.fullmatch, dump.splitlines()) if match}
    enabled = found.get("apt::periodic::unattended-upgrade", "") not in ("", "0")
    return AutoUpgrade(
        enabled and found.get("apt::periodic::enable", "1") != "0",
        found.get("unattended-upgrade::automatic-reboot", "") in ("true", "yes", "on", "with", "enable", "1"),
    )


def read_simulation(said: str) -> Iterator[Update]:
    """Read the packages out of what `apt-get -s upgrade` says.

    A line is `Inst NAME [OLD] (NEW ORIGIN:SUITE/CODENAME, … [ARCHITECTURE]) [OTHERS]`; security updates come from an
    origin that says so: `Debian-Security:12/stable-security`, `Ubuntu:24.04/noble-security`.
    """
    for line in said.splitlines():
        if found := _NEW.match(line):
            security = "security" in found["origins"].lower()
            yield Update(found["name"], found["old"] or "", found["new"], security)


def _tell(line: str, report: Report) -> None:
    """Pass on what apt says; progress comes between the lines, as its APT::Status-Fd writes it."""
    if not (status := _STATUS.fullmatch(line)):
        report.log(line)
        return
    kind, percent, what = status.groups()
    part = min(float(percent) / 100, 1.0)
    report.progress(_FETCHING * part if kind == "dlstatus" else _FETCHING + (1 - _FETCHING) * part)
    report.message(what.strip())
