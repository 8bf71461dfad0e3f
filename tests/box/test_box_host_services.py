"""A real host's services, clock and packages, managed by the back end for systemd."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from manor_hostservices.refusals import Conflicting, Failed, Invalid, Missing, NotHere
from manor_hostservices.verbs import (
    AutoUpgrade,
    ReadAutoUpgrade,
    ReadDataSize,
    ReadDkim,
    ReadJournal,
    ReadServices,
    ReadTimezone,
    ReadUpdates,
    ServiceState,
    SetAutoUpgrade,
    SetTimezone,
    SwitchService,
    Update,
)
from tests.box.host import HostInBox, until
from tests.box.packages import PACKAGE, offer_package

pytestmark = pytest.mark.box

SETTINGS = "/etc/apt/apt.conf.d/52manor-auto-upgrades"
UNATTENDED = "/usr/bin/unattended-upgrade"


def service(host: HostInBox, key: str) -> ServiceState:
    return {state.key: state for state in host.ask(ReadServices())}[key]


def test_a_service_is_switched_with_all_its_units_now_and_for_good(host: HostInBox) -> None:
    host.ask(SwitchService("gitea", on=True))
    main = f"/proc/{host.box.show('toy-gitea.service', 'MainPID')}"
    until(lambda: (host.read(f"{main}/cmdline") or "").startswith("sleep"), "it does not run")
    on = service(host, "gitea")
    units = [
        (host.is_active(f"toy-gitea.{kind}"), host.is_enabled(f"toy-gitea.{kind}")) for kind in ("service", "timer")
    ]
    counted = host.box.show("toy-gitea.service", "MemoryCurrent")
    resident = re.search(r"^VmRSS:\s+(\d+) kB$", host.read(f"{main}/status") or "", re.MULTILINE)
    host.ask(SwitchService("gitea", on=True))  # again is fine
    host.ask(SwitchService("gitea", on=False))
    off = service(host, "gitea")

    assert units == [("active", "enabled")] * 2
    assert (on.status, on.active, on.sub, on.enabled) == (0, "active", "running", True)
    assert on.since is not None
    assert resident is not None
    # As much as its one process has, where systemd does not count.
    assert on.memory == (int(resident[1]) << 10 if counted == "[not set]" else int(counted))
    assert on.cpu_seconds is not None
    assert (off.memory, off.cpu_seconds) == (None, None)
    assert (off.status, off.active, off.enabled) == (3, "inactive", False)
    assert host.is_active("toy-gitea.timer") == "inactive"
    assert host.state()["services"] == {"gitea": False}


def test_statuses_are_those_of_systemctl_and_of_the_worst_unit(host: HostInBox) -> None:
    host.box.attempt("systemctl", "start", "toy-gitea.service", "toy-php.service", "toy-broken.service")
    states = {state.key: state for state in host.ask(ReadServices())}
    exits = {
        key: host.box.attempt("systemctl", "status", unit).returncode
        for key, unit in {
            "gitea": "toy-gitea.service",
            "pleroma": "toy-broken.service",
            "nextcloud": "toy-web.service",
            "ocserv": "toy-masked.service",
            "bitwarden": "bitwarden_rs.service",
        }.items()
    }
    host.box.run("systemctl", "stop", "toy-gitea.service", "toy-php.service")

    assert exits == {"gitea": 0, "pleroma": 3, "nextcloud": 3, "ocserv": 3, "bitwarden": 4}
    assert {key: states[key].status for key in exits} == exits
    assert states["locked"].status == 0, "of the two units of nextcloud, this one runs"
    assert states["pleroma"].active == "failed"


def test_a_service_that_does_not_start_says_so_and_starts_with_the_host(host: HostInBox) -> None:
    with pytest.raises(Failed, match=r"Pleroma starts with the host from now on, but not now: .*toy-broken\.service"):
        host.ask(SwitchService("pleroma", on=True))

    assert host.state()["services"] == {"pleroma": True}
    assert host.is_enabled("toy-broken.service") == "enabled"
    assert service(host, "pleroma").active == "failed"
    host.ask(SwitchService("pleroma", on=False))
    assert host.is_enabled("toy-broken.service") == "disabled"
    assert service(host, "pleroma").active == "inactive", "what is off has not failed"


def test_a_service_that_is_not_installed_is_missing_with_its_unit(host: HostInBox) -> None:
    for on in (True, False):
        with pytest.raises(Missing, match=r"Bitwarden is not installed: this host has no bitwarden_rs\.service"):
            host.ask(SwitchService("bitwarden", on=on))
    with pytest.raises(Missing, match="There is no service nothing"):
        host.ask(SwitchService("nothing", on=True))
    with pytest.raises(Invalid, match="cannot be switched"):
        host.ask(SwitchService("locked", on=True))

    assert host.state().get("services", {}) == {}


def test_data_takes_up_as_much_as_du_says_whoever_owns_it(host: HostInBox) -> None:
    box = host.box
    box.run("sh", "-c", "cd /srv; mkdir -p toy/a/b; head -c 300000 /dev/urandom > toy/a/b/file; ln -s /usr toy/usr")
    box.run("sh", "-c", "ln /srv/toy/a/b/file /srv/toy/again; chown -R nobody /srv/toy; chmod -R go= /srv/toy/a")
    size = host.ask(ReadDataSize("gitea"))
    said = box.run("du", "--summarize", "--block-size=1", "/srv/toy")
    box.run("sh", "-c", "mv /srv/toy /srv/real; ln -s /srv/real /srv/toy")
    by_roots_link = host.ask(ReadDataSize("gitea"))
    box.run("chown", "--no-dereference", "nobody", "/srv/toy")
    with pytest.raises(Missing):
        host.ask(ReadDataSize("gitea"))
    box.run("rm", "-r", "/srv/toy", "/srv/real")

    assert (size.bytes, size.is_whole) == (int(said.split()[0]), True)
    assert by_roots_link == size


def test_a_masked_unit_stays_masked(host: HostInBox) -> None:
    with pytest.raises(Conflicting, match="masked"):
        host.ask(SwitchService("ocserv", on=True))

    assert host.is_enabled("toy-masked.service") == "masked"
    assert host.state().get("services", {}) == {}


def test_a_journal_goes_on_behind_its_cursor(host: HostInBox) -> None:
    host.box.run("systemctl", "start", "toy-php.service", "toy-web.service")
    host.box.run("journalctl", "--sync")
    first = host.ask(ReadJournal("nextcloud"))
    host.box.run("systemctl", "restart", "toy-php.service")
    host.box.run("journalctl", "--sync")
    then = host.ask(ReadJournal("nextcloud", after=first.cursor))
    newest = host.ask(ReadJournal("nextcloud", lines=1))
    none = host.ask(ReadJournal("nextcloud", after=then.cursor))
    host.box.run("systemctl", "stop", "toy-php.service", "toy-web.service")

    assert any(line.endswith("toy-web is up") for line in first.lines)
    assert any(line.endswith("toy-php is up") for line in then.lines)
    assert not any(line.endswith("toy-web is up") for line in then.lines)
    assert newest.lines == then.lines[-1:]
    assert (none.lines, none.cursor) == ([], then.cursor)
    with pytest.raises(Invalid, match="no such place"):
        host.ask(ReadJournal("nextcloud", after="s=nonsense"))
    with pytest.raises(Missing):
        host.ask(ReadJournal("nothing"))


def test_the_time_zone_is_the_hosts(host: HostInBox) -> None:
    before = host.ask(ReadTimezone())
    host.ask(SetTimezone("Europe/Kyiv"))
    after = host.ask(ReadTimezone())

    assert after == "Europe/Kyiv"
    assert host.box.run("readlink", "/etc/localtime").endswith("/zoneinfo/Europe/Kyiv")
    for wrong in ("Europe/Nowhere", "../../etc/shadow", "europe/kyiv", ""):
        with pytest.raises(Invalid, match="Invalid timezone"):
            host.ask(SetTimezone(wrong))
    assert host.ask(ReadTimezone()) == "Europe/Kyiv"
    host.ask(SetTimezone(before if before != "Etc/UTC" else "UTC"))


def test_the_mail_servers_record_is_the_files_bytes(host: HostInBox) -> None:
    assert host.ask(ReadDkim()) is None
    host.box.put("/var/dkim/example.org.selector.txt", 'selector._domainkey ( "v=DKIM1; p=abc" )\n')

    assert host.ask(ReadDkim()) == b'selector._domainkey ( "v=DKIM1; p=abc" )\n'


@pytest.fixture
def unattended(host: HostInBox) -> Iterator[HostInBox]:
    """The host with the program that upgrades unattended: apt has it started, which no test waits for."""
    host.box.put(UNATTENDED, "#!/bin/sh\n", 0o755)
    yield host
    (host.box.root / SETTINGS.lstrip("/")).unlink(missing_ok=True)
    (host.box.root / UNATTENDED.lstrip("/")).unlink()


def test_automatic_upgrades_are_what_apt_reads(unattended: HostInBox) -> None:
    before = unattended.ask(ReadAutoUpgrade())
    answered = unattended.ask(SetAutoUpgrade(enable=True))
    unattended.ask(SetAutoUpgrade(allow_reboot=True))
    dump = unattended.box.run("apt-config", "dump").splitlines()

    assert before == AutoUpgrade(enable=False)
    assert answered == AutoUpgrade(enable=True, allow_reboot=False)
    assert unattended.ask(ReadAutoUpgrade()) == AutoUpgrade(enable=True, allow_reboot=True)
    assert {
        'APT::Periodic::Update-Package-Lists "1";',
        'APT::Periodic::Unattended-Upgrade "1";',
        'Unattended-Upgrade::Automatic-Reboot "true";',
    } <= set(dump)


def test_settings_that_another_file_overrules_are_taken_back(unattended: HostInBox) -> None:
    unattended.ask(SetAutoUpgrade(enable=False))
    before = unattended.read(SETTINGS)
    unattended.box.put("/etc/apt/apt.conf.d/99admin", 'APT::Periodic::Unattended-Upgrade "0";\n')
    with pytest.raises(Failed, match="Another file"):
        unattended.ask(SetAutoUpgrade(enable=True))
    (unattended.box.root / "etc/apt/apt.conf.d/99admin").unlink()

    assert unattended.read(SETTINGS) == before
    assert unattended.ask(ReadAutoUpgrade()).enable is False


def test_a_host_without_the_program_does_not_pretend_to_upgrade_itself(host: HostInBox) -> None:
    with pytest.raises(NotHere, match="unattended-upgrades"):
        host.ask(SetAutoUpgrade(enable=True))

    assert host.read(SETTINGS) is None


def test_an_upgrade_is_seen_beforehand_and_keeps_what_somebody_configured(host: HostInBox) -> None:
    offer_package(host.box)
    host.box.put("/etc/toy.conf", "ours\n")
    stale = host.ask(ReadUpdates())
    host.box.run("apt-get", "-q", "update")
    seen = host.ask(ReadUpdates())
    preview = host.perform("upgrade", dry_run=True)
    done = host.perform("upgrade")

    assert stale.packages == []
    assert seen.packages == [Update(PACKAGE, "1.0", "2.0", security=True)]
    assert seen.reboot_required is False
    assert preview.lines == [f"{PACKAGE} 1.0 -> 2.0, for security"]
    assert host.box.run("dpkg-query", "--show", "--showformat=${Version}", PACKAGE) == "2.0"
    assert host.read("/etc/toy.conf") == "ours\n"
    assert done.messages[-1] == "Packages upgraded: 1; the host wants a restart"
    assert done.fractions == sorted(done.fractions)
    assert done.fractions[-1] == 1
    assert host.ask(ReadUpdates()).reboot_required is True


def test_a_restart_is_held_back_by_who_asked_for_that(host: HostInBox) -> None:
    with host.box.converse(
        "systemd-inhibit", "--what=shutdown", "--who=Backup", "--why=not done yet", "sh", "-c", "echo held; cat"
    ) as holding:
        assert holding.stdout is not None
        assert holding.stdin is not None
        holding.stdout.readline()
        with pytest.raises(Conflicting, match=r"held back by Backup \(not done yet\)"):
            host.perform("reboot")
        forced = host.perform("reboot", dry_run=True, force=True)
        holding.stdin.close()

    assert forced.messages == ["The host could restart now"]
    assert host.perform("reboot", dry_run=True).messages == ["Nothing holds a restart back"]


def test_there_is_no_way_back_that_nobody_configured(host: HostInBox) -> None:
    with pytest.raises(NotHere, match="no way back by itself"):
        host.perform("rollback")
