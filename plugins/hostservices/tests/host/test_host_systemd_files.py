"""What the back end for systemd writes: keys into homes, its own notes, and files that are taken back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from manor_hostservices.backends.pulling import pull
from manor_hostservices.backends.state import Account, HostState, with_account
from manor_hostservices.backends.systemd import Systemd
from manor_hostservices.backends.systemd.accounts import Accounts
from manor_hostservices.backends.systemd.applying import Piece, put_right
from manor_hostservices.backends.systemd.authorized_keys import LONGEST, Owner, change_lines, read_lines
from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.backends.systemd.files import replaced
from manor_hostservices.backends.systemd.record import Record
from manor_hostservices.config import HostConfig, JobCommands
from manor_hostservices.places import Places
from manor_hostservices.programs import Done, HostPrograms, WrittenDown
from manor_hostservices.refusals import Conflicting, Failed, HostRefusal, Invalid, NotHere
from manor_hostservices.verbs import AddKey, AddUser, ReadJournal, RemoveKey, SetSsh, SetTimezone, SwitchService
from tests.host_jobs import Heard
from tests.host_keys import new_key

HASH = "$6$saltsalt$" + "a" * 86


# --- Keys ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    home = tmp_path / "home"
    home.mkdir()
    return Owner(home, os.getuid(), os.getgid())


def test_a_file_is_made_for_its_owner_alone(owner: Owner) -> None:
    assert read_lines(owner) == []
    assert not (owner.home / ".ssh").exists(), "reading makes nothing"
    change_lines(owner, lambda lines: [*lines, "one", "two"])

    assert (owner.home / ".ssh/authorized_keys").read_text() == "one\ntwo\n"
    assert (owner.home / ".ssh").stat().st_mode & 0o777 == 0o700
    assert (owner.home / ".ssh/authorized_keys").stat().st_mode & 0o777 == 0o600
    assert read_lines(owner) == ["one", "two"]


@pytest.mark.parametrize("before", ["a\n\nb", "a\n\nb\n", "a\r\nb", "\n", "", "caf\udce9\n"])
def test_lines_come_back_as_they_were(owner: Owner, before: str) -> None:
    file = owner.home / ".ssh/authorized_keys"
    file.parent.mkdir()
    data = before.encode(errors="surrogateescape")
    file.write_bytes(data)
    inode = file.stat().st_ino
    change_lines(owner, lambda lines: lines)
    assert (file.read_bytes(), file.stat().st_ino) == (data, inode), "what stays the same is not written"
    change_lines(owner, lambda lines: [*lines, "added"])
    change_lines(owner, lambda lines: lines[:-1])

    assert file.read_bytes() == (data if data.endswith(b"\n") or not data else data + b"\n")


def test_a_refused_change_leaves_the_file_and_nothing_beside_it(owner: Owner) -> None:
    change_lines(owner, lambda _: ["one"])

    def refuse(_: list[str]) -> list[str]:
        raise Conflicting("Key already exists")

    with pytest.raises(Conflicting):
        change_lines(owner, refuse)

    assert [path.name for path in (owner.home / ".ssh").iterdir()] == ["authorized_keys"]
    assert read_lines(owner) == ["one"]


def test_a_home_of_somebody_else_is_left_alone(owner: Owner) -> None:
    stranger = Owner(owner.home, owner.uid + 1, owner.gid)
    with pytest.raises(Conflicting, match="belongs to somebody else"):
        change_lines(stranger, lambda _: ["one"])
    with pytest.raises(Conflicting, match="belongs to somebody else"):
        read_lines(stranger)

    assert list(owner.home.iterdir()) == []


def test_an_account_without_a_home_has_no_keys(tmp_path: Path) -> None:
    nowhere = Owner(tmp_path / "none", os.getuid(), os.getgid())

    assert read_lines(nowhere) == []
    with pytest.raises(Conflicting, match="no home"):
        change_lines(nowhere, lambda _: ["one"])


def test_a_file_that_is_too_long_is_left_alone(owner: Owner) -> None:
    change_lines(owner, lambda _: ["one"])
    with (owner.home / ".ssh/authorized_keys").open("a") as file:
        file.write("x" * LONGEST)

    with pytest.raises(Conflicting, match="too long"):
        read_lines(owner)
    with pytest.raises(Conflicting, match="too long"):
        change_lines(owner, lambda lines: [*lines, "two"])


def test_a_file_is_never_made_too_long_to_be_read_again(owner: Owner) -> None:
    full = ["x" * (LONGEST - 1)]
    change_lines(owner, lambda _: full)

    with pytest.raises(Conflicting, match="remove a key first"):
        change_lines(owner, lambda lines: [*lines, "two"])

    assert read_lines(owner) == full


# --- Notes and turns -----------------------------------------------------------------------------------------------


async def test_matters_take_turns_each_among_themselves(tmp_path: Path) -> None:
    places, order = Places(tmp_path), list[str]()

    async def first(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with Record(places).turn("access"):
            task_status.started()
            async with Record(places).turn("services"):
                order.append("another matter")
            await wait_all_tasks_blocked()
            order.append("first")

    async def second() -> None:
        async with Record(places).turn("access"):
            order.append("second")

    async with trio.open_nursery() as nursery:
        await nursery.start(first)
        nursery.start_soon(second)

    assert order == ["another matter", "first", "second"]


async def test_waiting_for_a_turn_can_be_given_up_but_not_a_change(tmp_path: Path) -> None:
    record, done = Record(Places(tmp_path)), list[str]()
    async with record.turn("access"):
        with trio.move_on_after(0.2) as given_up:
            # The shield is around what is within a turn, not around the wait for it.
            given_up.shield = True
            async with record.turn("access"):
                done.append("never")
    with trio.CancelScope() as cut:
        async with record.turn("access"):
            cut.cancel()
            await trio.lowlevel.checkpoint()
            done.append("to its end")

    assert given_up.cancelled_caught
    assert done == ["to its end"]


async def test_notes_that_are_damaged_are_left_as_they_are(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.own.mkdir(parents=True)
    (places.own / "state.json").write_text('{"services": [')
    record = Record(places)
    with pytest.raises(Failed, match="cannot be read"):
        await record.read()
    with pytest.raises(Failed, match="cannot be read"):
        await record.change(lambda state: state)

    assert (places.own / "state.json").read_text() == '{"services": ['


@pytest.mark.parametrize("before", ["old\n", None])
def test_a_file_that_is_objected_to_is_as_it_was(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "etc/50-manor.conf"
    path.parent.mkdir()
    if before is not None:
        path.write_text(before)

    def object_to_it() -> None:
        with replaced(path, "new\n"):
            assert path.read_text() == "new\n"
            assert path.stat().st_mode & 0o777 == 0o644
            raise Failed("no")

    with pytest.raises(Failed):
        object_to_it()

    assert [each.read_text() for each in path.parent.iterdir()] == ([] if before is None else [before])


# --- Accounts ------------------------------------------------------------------------------------------------------


async def test_no_argument_of_any_program_has_the_passwords_hash(tmp_path: Path) -> None:
    places, programs = Places(tmp_path), WrittenDown()
    accounts = Accounts(programs, Bus(places), places)
    with pytest.raises(Failed, match="no ordinary account"):
        await accounts.make("manor_test_nobody", HASH)

    assert [argv[0] for argv in programs.ran] == ["useradd", "chpasswd", "userdel"]
    assert not any("$6$" in argument for argv in programs.ran for argument in argv)


@pytest.mark.parametrize(
    "wrong", ["", "!", "plain", f"{HASH}\nroot:{HASH}", f"{HASH}:0", "$1$salt$abcdefgh", "$6$short"]
)
async def test_a_hash_that_is_none_reaches_no_program(tmp_path: Path, wrong: str) -> None:
    places, programs = Places(tmp_path), WrittenDown()
    with pytest.raises(Invalid):
        await Accounts(programs, Bus(places), places).make("manor_test_nobody", wrong)

    assert programs.ran == []


async def test_an_account_that_got_no_password_is_not_left_behind(tmp_path: Path) -> None:
    places = Places(tmp_path)
    programs = WrittenDown(answers={("chpasswd",): Done(1, "chpasswd: cannot lock /etc/passwd\n")})
    with pytest.raises(Failed, match="cannot lock"):
        await Accounts(programs, Bus(places), places).make("manor_test_nobody", HASH)

    assert programs.ran[-1] == ("userdel", "--remove", "manor_test_nobody")


# --- A host that lacks something -----------------------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path: Path) -> Systemd:
    """A host without D-Bus, and without any program."""
    programs = HostPrograms()
    return Systemd(HostConfig(config_dir="/none", dkim_file="/var/dkim"), Places(tmp_path), programs)


async def test_a_host_without_systemd_says_so(bare: Systemd) -> None:
    for asked in (
        bare.services,
        bare.timezone,
        lambda: bare.set_timezone(SetTimezone("UTC")),
        lambda: bare.switch_service(SwitchService("gitea", on=True)),
        lambda: bare.perform("reboot", Heard()),
    ):
        with pytest.raises(NotHere, match="no D-Bus"):
            await asked()

    assert await bare.dkim() is None
    assert (await bare.pull()).status != 0


@pytest.mark.parametrize("there", ["a pipe", "a folder", "too much"])
async def test_what_stands_in_the_zone_files_place_holds_nobody_up(bare: Systemd, tmp_path: Path, there: str) -> None:
    place = tmp_path / "var/dkim"
    place.parent.mkdir()
    with trio.fail_after(10):
        if there == "too much":
            place.write_bytes(b"x" * (1 << 20))
            with pytest.raises(Failed, match="too long"):
                await bare.dkim()
            return
        place.mkdir() if there == "a folder" else os.mkfifo(place)
        assert await bare.dkim() is None


@pytest.mark.box  # only root is told what to run by others
@pytest.mark.parametrize("loose", ["", ".git", ".git/config", ".git/hooks"])
async def test_root_pulls_nothing_that_others_may_have_it_run(tmp_path: Path, loose: str) -> None:
    ran = tmp_path / "ran"
    folder = tmp_path / "configuration"
    for argv in (
        ["init", "--quiet"],
        ["config", "core.sshCommand", f"touch {ran};"],
        ["remote", "add", "o", "ssh://x/y"],
    ):
        folder.mkdir(exist_ok=True)
        assert (await HostPrograms().run(["git", "-C", str(folder), *argv])).status == 0
    (folder / loose).chmod((folder / loose).stat().st_mode | 0o020)

    pulled = await pull(HostPrograms(), folder)

    assert pulled.status != 0
    assert pulled.output.startswith(f"{folder / loose} may be written by others than root; chmod go-w")
    assert not ran.exists()


async def test_values_are_checked_before_anything_is_asked(bare: Systemd) -> None:
    key = new_key()
    for asked in (
        lambda: bare.set_timezone(SetTimezone("../UTC")),
        lambda: bare.add_user(AddUser("-x", HASH)),
        lambda: bare.add_user(AddUser("root", HASH)),
        lambda: bare.add_key(AddKey("root", f'command="id" {key}')),
        lambda: bare.add_key(AddKey("nonesuch", key)),
        lambda: bare.remove_key(RemoveKey("nonesuch", key)),
        lambda: bare.journal(ReadJournal("nonesuch")),
        lambda: bare.switch_service(SwitchService("nonesuch", on=True)),
        lambda: bare.perform("backup", Heard()),
    ):
        with pytest.raises(HostRefusal) as refusal:
            await asked()
        assert not isinstance(refusal.value, NotHere), refusal.value


async def test_without_an_ssh_server_there_are_no_settings(tmp_path: Path) -> None:
    there_is_none = WrittenDown(answers={("sshd",): Done(127, "no sshd")})
    host = Systemd(HostConfig(), Places(tmp_path), there_is_none)
    with pytest.raises((NotHere, Failed)):
        await host.set_ssh(SetSsh(password_authentication=False))

    assert not (tmp_path / "etc").exists()


# --- Jobs ----------------------------------------------------------------------------------------------------------


async def test_every_piece_is_tried_and_failures_are_told_together() -> None:
    heard, tried = Heard(), list[str]()

    def piece(name: str, outcome: bool | HostRefusal) -> Piece:
        async def right(*, dry_run: bool) -> bool:
            tried.append(name)
            if isinstance(outcome, HostRefusal):
                raise outcome
            return outcome

        return Piece(name, right)

    pieces = [piece("a", Failed("no disk")), piece("b", True), piece("c", False), piece("d", Conflicting("no"))]
    with pytest.raises(Failed, match=r"^a: no disk; d: no$"):
        await put_right(pieces, heard, dry_run=False)

    assert tried == ["a", "b", "c", "d"]
    assert heard.lines == ["a: no disk", "b: put right", "c: as it was set", "d: no"]
    assert heard.fractions == [0, 0.25, 0.5, 0.75]


async def test_jobs_that_the_administrator_configured_run_instead(tmp_path: Path) -> None:
    programs = WrittenDown(answers={("snapper",): Done(3, "no snapshot\n")})
    jobs = JobCommands(apply=("own-apply", "--all"), upgrade=("own-upgrade",), rollback=("snapper", "undochange"))
    host, heard = Systemd(HostConfig(jobs=jobs), Places(tmp_path), programs), Heard()
    await host.perform("apply", heard, dry_run=True)
    assert programs.ran == []
    await host.perform("apply", heard)
    await host.perform("upgrade", heard)
    with pytest.raises(Failed, match="snapper: no snapshot"):
        await host.perform("rollback", heard)

    assert programs.ran == [("own-apply", "--all"), ("own-upgrade",), ("snapper", "undochange")]
    assert heard.lines == ["no snapshot"]


def test_a_state_keeps_which_account_is_ours() -> None:
    state = with_account(HostState(), Account("eve", HASH, uid=1001))

    assert state.account("eve").uid == 1001
