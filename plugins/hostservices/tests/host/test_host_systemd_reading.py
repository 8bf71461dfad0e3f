"""What the back end for systemd reads out of what the host's programs and units say."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from manor_hostservices.backends.systemd.apt import read_auto_upgrade, read_simulation, settings_text
from manor_hostservices.backends.systemd.journal import LONGEST, read_entries, read_journal
from manor_hostservices.backends.systemd.processes import MOST, Used, used_by
from manor_hostservices.backends.systemd.services import state_of
from manor_hostservices.backends.systemd.sshd import drop_in
from manor_hostservices.backends.systemd.units import Figures, Unit
from manor_hostservices.catalogue import Entry
from manor_hostservices.programs import Done, WrittenDown
from manor_hostservices.refusals import Failed, HostRefusal, Invalid, NotHere
from manor_hostservices.verbs import AutoUpgrade, ServiceState, Update

# --- Packages ------------------------------------------------------------------------------------------------------

SIMULATED = """\
Reading package lists...
Building dependency tree...
The following NEW packages will be installed:
  linux-image-6.1.0-32-amd64
Inst base-files [12.4+deb12u9] (12.4+deb12u10 Debian:12.10/stable [amd64])
Inst libssl3 [3.0.15-1~deb12u1] (3.0.16-1~deb12u1 Debian:12.10/stable, Debian-Security:12/stable-security [amd64]) []
Inst linux-image-6.1.0-32-amd64 (6.1.129-1 Debian-Security:12/stable-security [amd64])
Inst openssl [3.0.2-0ubuntu1.18] (3.0.2-0ubuntu1.19 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])
Inst own-tool [1] (2 localhost [all])
Conf base-files (12.4+deb12u10 Debian:12.10/stable [amd64])
Remv old-thing [1.0]
"""


def test_what_an_upgrade_would_bring_is_read_with_its_security_mark() -> None:
    assert list(read_simulation(SIMULATED)) == [
        Update("base-files", "12.4+deb12u9", "12.4+deb12u10"),
        Update("libssl3", "3.0.15-1~deb12u1", "3.0.16-1~deb12u1", security=True),
        Update("linux-image-6.1.0-32-amd64", "", "6.1.129-1", security=True),
        Update("openssl", "3.0.2-0ubuntu1.18", "3.0.2-0ubuntu1.19", security=True),
        Update("own-tool", "1", "2"),
    ]
    assert list(read_simulation("")) == []


@pytest.mark.parametrize(
    "settings", [AutoUpgrade(enable, reboot) for enable in (True, False) for reboot in (True, False)]
)
def test_what_is_written_for_apt_is_read_back(settings: AutoUpgrade) -> None:
    assert read_auto_upgrade(settings_text(settings)) == settings


@pytest.mark.parametrize(
    ("dump", "settings"),
    [
        ("", AutoUpgrade(enable=False)),
        ('APT::Periodic::Unattended-Upgrade "7";', AutoUpgrade(enable=True)),
        ('APT::periodic::unattended-upgrade "always";', AutoUpgrade(enable=True)),
        ('APT::Periodic::Unattended-Upgrade "0";', AutoUpgrade(enable=False)),
        ('APT::Periodic::Unattended-Upgrade "1";\nAPT::Periodic::Enable "0";', AutoUpgrade(enable=False)),
        ('Unattended-Upgrade::Automatic-Reboot "1";', AutoUpgrade(enable=False, allow_reboot=True)),
        ('Unattended-Upgrade::Automatic-Reboot "False";', AutoUpgrade(enable=False)),
        ('Unattended-Upgrade::Automatic-Reboot-Time "now";\nnonsense', AutoUpgrade(enable=False)),
    ],
)
def test_settings_of_apt_are_read_as_apt_does(dump: str, settings: AutoUpgrade) -> None:
    assert read_auto_upgrade(dump) == settings


# --- SSH -----------------------------------------------------------------------------------------------------------


def test_passwords_are_not_asked_for_in_another_way() -> None:
    assert drop_in(passwords=False).splitlines()[1:] == ["PasswordAuthentication no", "KbdInteractiveAuthentication no"]
    assert drop_in(passwords=True).splitlines()[1:] == ["PasswordAuthentication yes"]


# --- The journal ---------------------------------------------------------------------------------------------------

ENTRY = (
    '{"__CURSOR":"s=1;i=%d","__REALTIME_TIMESTAMP":"1700000000123456","MESSAGE":%s,'
    '"SYSLOG_IDENTIFIER":"toy","_PID":"7"}'
)


def test_entries_become_lines_and_the_last_cursor_is_kept() -> None:
    found = read_entries(f"{ENTRY % (1, chr(34) + 'up' + chr(34))}\n{ENTRY % (2, '[104,105,255]')}\n", after="before")

    assert found.lines == ["2023-11-14T22:13:20.123Z toy[7]: up", "2023-11-14T22:13:20.123Z toy[7]: hi\ufffd"]
    assert found.cursor == "s=1;i=2"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("null", ""),
        ('["one","two"]', "one"),
        ('"a\u2028b"', "a\u2028b"),
        ('"%s"' % ("x" * 5000), "x" * LONGEST),
        ("[]", ""),
    ],
)
def test_a_message_of_any_form_is_one_line(message: str, said: str) -> None:
    assert read_entries(ENTRY % (1, message)).lines == [f"2023-11-14T22:13:20.123Z toy[7]: {said}"]


def journal(status: int, said: str) -> WrittenDown:
    return WrittenDown(answers={("journalctl",): Done(status, said)})


async def test_what_a_service_says_is_not_taken_for_what_journalctl_says() -> None:
    said = ENTRY % (1, '"no cursor: insufficient permissions"')

    found = await read_journal(journal(0, said), ["a.service"], newest=9, after="")
    with pytest.raises(Failed, match=r"^journalctl: Corrupt$"):
        await read_journal(journal(1, f"{said}\nCorrupt\n"), ["a.service"], newest=9, after="s=1")

    assert found.lines == ["2023-11-14T22:13:20.123Z toy[7]: no cursor: insufficient permissions"]


@pytest.mark.parametrize(
    ("status", "said", "refusal"),
    [
        (1, "No journal files were opened due to insufficient permissions.\n", NotHere),
        (0, "No journal files were opened due to insufficient permissions.\n", NotHere),
        (1, "Failed to seek to cursor: Invalid argument\n", Invalid),
    ],
)
async def test_what_journalctl_says_of_itself_is_told(status: int, said: str, refusal: type[HostRefusal]) -> None:
    with pytest.raises(refusal):
        await read_journal(journal(status, said), ["a.service"], newest=9, after="s=1")


def test_what_is_no_entry_is_left_out() -> None:
    output = '"}\nWarning: something\n{"MESSAGE":"no cursor"}\n{"__CURSOR":"c","__REALTIME_TIMESTAMP":"x"}\n'

    assert read_entries(output, after="here").lines == []
    assert read_entries(output, after="here").cursor == "here"


def test_an_entry_of_nobody_has_no_number() -> None:
    [line] = read_entries('{"__CURSOR":"c","__REALTIME_TIMESTAMP":"0","MESSAGE":"hm"}').lines

    assert line == "1970-01-01T00:00:00.000Z hm"


# --- Units ---------------------------------------------------------------------------------------------------------

THEN, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
UP = Unit("a.service", "loaded", "active", "running"), Figures(True, THEN, 100, 1.5, 1)
DOWN = Unit("b.service", "loaded", "inactive", "dead"), Figures(True, LATER, None, None, 0)
FAILED = Unit("c.service", "loaded", "failed", "failed"), Figures(False, LATER, None, 0.5, 3)
COMING = Unit("d.service", "loaded", "activating", "auto-restart"), Figures(True, LATER)
NOWHERE = Unit("e.service", "not-found", "inactive", "dead"), Figures()
STRANGE = Unit("f.service", "loaded", "maintenance", "odd"), Figures()


@pytest.mark.parametrize(
    ("units", "status", "active"),
    [
        ([UP], 0, "active"),
        ([UP, DOWN], 3, "inactive"),
        ([FAILED, DOWN, UP], 3, "failed"),
        ([DOWN, COMING], 3, "inactive"),
        ([STRANGE, FAILED], 3, "maintenance"),
        ([FAILED, NOWHERE], 4, "inactive"),
        ([], 4, "inactive"),
    ],
)
def test_the_worst_unit_counts(units: list[tuple[Unit, Figures]], status: int, active: str) -> None:
    state = state_of("key", Entry("Title"), units)

    assert (state.status, state.active) == (status, active)


def test_what_units_use_is_summed_up() -> None:
    state = state_of("key", Entry("Title", switchable=False), [UP, FAILED])

    assert state == ServiceState(
        "key", "Title", 3, "failed", "failed", enabled=False, switchable=False,
        since=LATER, memory=100, cpu_seconds=2.0, restarts=4,
    )  # fmt: skip
    assert state_of("key", Entry("Title"), [DOWN]).memory is None


# --- Processes -----------------------------------------------------------------------------------------------------


def put_process(proc: Path, pid: int, name: str, statm: str, ticks: str) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "statm").write_text(f"9000 {statm} 1 0 5 0\n")
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) S 1 {pid} {pid} 0 -1 4194560 9 9 9 9 {ticks} 20 0 1 0 77\n")


def test_processes_that_share_programs_have_them_once(tmp_path: Path) -> None:
    put_process(tmp_path, 7, "php-fpm", "300 100", "100 50 30 20")
    put_process(tmp_path, 8, "a) R 9 (b", "250 120", "1 2 3 4")
    put_process(tmp_path, 9, "ended", "0 0", "5 0 0 0")
    put_process(tmp_path, 10, "ending", "0 0", "5 0 0 0")
    (tmp_path / "10/statm").write_text("")
    page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")

    assert used_by(tmp_path, {7, 8, 9, 10, 11}) == Used((200 + 130 + 120) * page, 215 / tick)


def test_processes_that_are_not_to_be_seen_use_nothing_that_is_known(tmp_path: Path) -> None:
    assert used_by(tmp_path, {7, 8}) is None
    assert used_by(tmp_path, ()) is None
    assert used_by(Path("/proc"), range(1, MOST + 2)) is None


def test_a_process_uses_what_the_kernel_says() -> None:
    before = time.process_time()
    used = used_by(Path("/proc"), {os.getpid()})

    assert used is not None
    assert used.memory > 1 << 20
    # The kernel rounds to ticks, and a test run has children, too.
    assert used.cpu_seconds >= before - 0.1
